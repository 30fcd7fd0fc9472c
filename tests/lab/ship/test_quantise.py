"""Int8 graphs: what is quantised is what was asked for, and what cannot be is refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from samebody.lab.ship import quantise as quantise_module
from samebody.lab.ship.errors import QuantiseError, SamplesError, ShipError
from samebody.lab.ship.graph import clean_graph, opset_of, outputs_of, parameters_of, parse_graph, session_of
from samebody.lab.ship.quantise import QuantiseOptions, nodes_of, quantise
from samebody.lab.ship.samples import Samples
from tests.lab.ship.graphs import classifier, network, samples


def test_int8_is_smaller_and_answers_nearly_the_same() -> None:
    source = clean_graph(classifier(channels=48))
    made = quantise(source, samples(64))
    assert made.bytes < 0.45 * made.source_bytes
    assert made.quantised and not made.kept_float
    assert made.changes[0].cosine > 0.99
    assert parameters_of(made.data) == parameters_of(source)
    fresh = samples(50, seed=9)
    before, after = (outputs_of(session_of(data), fresh)["out"] for data in (source, made.data))
    assert np.mean(before.argmax(1) == after.argmax(1)) > 0.9


def test_weights_are_those_of_the_float_graph_on_a_grid_of_255_steps_per_channel() -> None:
    source = clean_graph(classifier())
    graph = parse_graph(quantise(source, samples(40)).data).graph
    from onnx import numpy_helper

    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    float_first = next(numpy_helper.to_array(i) for i in parse_graph(source).graph.initializer if i.name == "w1")
    grid = next(v for n, v in arrays.items() if v.dtype == np.int8 and v.shape == float_first.shape)
    scale = np.abs(float_first).max(axis=(1, 2, 3)) / 127
    np.testing.assert_allclose(grid * scale[:, None, None, None], float_first, atol=float(scale.max()) * 0.51)


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_the_same_bytes_every_time(method: str) -> None:
    source, options = clean_graph(classifier()), QuantiseOptions(method=method)  # type: ignore[arg-type]
    first, second = (quantise(source, samples(40), options) for _ in range(2))
    assert first.data == second.data and first.calibration == second.calibration


def test_the_ranges_come_from_the_calibration_samples() -> None:
    source = clean_graph(classifier())
    tame = samples(40)
    wild = Samples({"input": tame.tensors["input"] * np.float32(30)}, {}, "wild")
    right, wrong = quantise(source, tame), quantise(source, wild)
    fresh = samples(50, seed=5)
    target = outputs_of(session_of(source), fresh)["out"]
    errors = [np.abs(outputs_of(session_of(q.data), fresh)["out"] - target).mean() for q in (right, wrong)]
    assert errors[0] < errors[1] / 3


def test_a_graph_of_an_older_version_is_brought_up_to_date() -> None:
    model = parse_graph(classifier())
    model.opset_import[0].version = 11
    made = quantise(clean_graph(model.SerializeToString()), samples(40))
    assert opset_of(made.data) >= 13 and len(made.quantised) == 3 and made.changes[0].cosine > 0.95


def test_prelu_written_as_convolutions_is_quantised() -> None:
    """Its slopes are named as the tool names the scales of values."""
    model = parse_graph(
        network(
            [helper.make_node("PRelu", ["c2", "slope"], ["out"], name="act")],
            ["batch", 12, 16, 16],
            tail={"slope": np.full((12, 1, 1), 0.25)},
        )
    )
    spread = clean_graph(model.SerializeToString(), prelu_as_convolutions=True)
    assert {i.name for i in parse_graph(spread).graph.initializer} >= {"out_linear_scale", "out_rest_scale"}
    made = quantise(spread, samples(40))
    assert len(made.quantised) == 4 and made.changes[0].cosine > 0.995


def test_excluded_nodes_stay_in_float() -> None:
    source = clean_graph(classifier())
    assert [name for name, _ in nodes_of(source)] == ["first", "second", "head"]
    made = quantise(source, samples(40), QuantiseOptions(exclude=("fir*", "op:Gemm")))
    assert made.quantised == ("second",) and set(made.kept_float) == {"first", "head"}


def test_an_int8_graph_that_does_not_run_is_refused_and_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    source = clean_graph(classifier())
    real = quantise_module.session_of

    def refusing(data: bytes) -> object:
        if data != source:
            raise ShipError("Node (second) has a scale that is no scalar.")
        return real(data)

    monkeypatch.setattr(quantise_module, "session_of", refusing)
    with pytest.raises(QuantiseError, match=r"does not run. Node \(second\).*exclude"):
        quantise(source, samples(40))


def test_what_cannot_be_quantised_is_refused() -> None:
    source = clean_graph(classifier())
    with pytest.raises(SamplesError, match="8 calibration samples are too few"):
        quantise(source, samples(8))
    with pytest.raises(QuantiseError, match=r"no node fits nothing, op:Softmax.*first, second, head"):
        quantise(source, samples(40), QuantiseOptions(exclude=("nothing", "op:Softmax")))
    with pytest.raises(QuantiseError, match="no node with weights"):
        quantise(source, samples(40), QuantiseOptions(exclude=("*",)))
    with pytest.raises(QuantiseError, match="quantised already"):
        quantise(quantise(source, samples(40)).data, samples(40))
    with pytest.raises(SamplesError, match="lack the input input"):
        quantise(source, Samples({"other": np.zeros((40, 3, 16, 16), np.float32)}))
    with pytest.raises(SamplesError, match="not finite"):
        Samples({"input": np.full((40, 3, 16, 16), np.nan, np.float32)})
