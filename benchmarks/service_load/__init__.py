"""The service under load: throughput, overhead, overload and slow clients, over real HTTP against its processes."""
