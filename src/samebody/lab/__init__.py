"""The lab: what builds and measures models. It runs the pipeline that serves, and nothing that serves imports it."""
