"""Parameter files: one schema, and errors that name the key, the value and what is allowed."""

from pathlib import Path

import pytest
import yaml

from sftdec.params import NetworkConfig, ParamsError, largest_extent, load_params, parse_params

ROOT = Path(__file__).parents[2]


def values():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def changed(path, value):
    found = values()
    *folders, key = path.split(".")
    section = found
    for folder in folders:
        section = section[folder]
    section[key] = value
    return found


def test_the_shipped_files_share_one_schema():
    small, paper = load_params(ROOT / "params.yaml"), load_params(ROOT / "params.paper.yaml")
    assert small.network.size == "small" and paper.network.size == "paper"
    assert values().keys() == yaml.safe_load((ROOT / "params.paper.yaml").read_text()).keys()


def test_the_paper_file_has_the_papers_numbers():
    paper = load_params(ROOT / "params.paper.yaml")
    assert paper.fetch.datasets == ["ded", "realistic"]  # trained on the one, judged on the other
    assert [getattr(paper.train, stage).epochs for stage in ("s1", "s2", "s3")] == [400, 200, 400]
    common, config = paper.train.common, paper.network
    assert (common.batch_size, common.crop, common.beta_1, common.beta_2) == (16, 256, 0.9, 0.999)
    assert paper.train.s1.learning_rate == 1e-4 and config.gamma == "scale"
    assert (config.dme_features, config.features, config.blocks) == (64, 128, 16)


def test_the_network_is_a_preset_and_what_differs_from_it_for_maps_in_fetchs_unit():
    found = changed("network.dme_dilations", [1, 2, 3, 4])
    found["fetch"]["sigma_max"], found["network"]["reduction"] = 4.0, None  # null: as the preset has it
    network = parse_params(found, "params.yaml").network
    assert network == NetworkConfig.of_size("small", sigma_max=4.0, dme_dilations=(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("network.depth", 3, "there is no such key"),
        ("patches.patch_size", "large", "valid integer"),
        ("patches.patch_size", 8, "16"),
        ("train.common.crop", 512, "at most patches.patch_size=128"),
        ("train.s3.loss.lambda_3", -0.1, "greater than or equal to 0"),
        ("train.s1.loss", {"lambda_1": 0.0, "lambda_2": 0.0, "lambda_3": 0.0}, "at least one above 0"),
        ("network.spatial_kernel", 2, "an odd number"),
        ("train.s2.learning_rate", 0, "greater than 0"),
        ("train.common.precision", "fp8", "'bf16' or 'fp32'"),
        ("train.common.device", "tpu", "auto"),
        ("network.modulation", "film", "'sft_dec'"),
        ("network.dme_dilations", [1, 2], "dme_blocks"),
        ("train.s1.epochs", 3.0, "exactly one"),
        ("fetch.datasets", [], "at least 1"),
        ("fetch.sources", {"dpdd": {"url": "ftp://there/a.zip", "sha256": "0" * 64}}, "should match pattern"),
        ("fetch.check.duplicate_distance", 65, "less than or equal to 64"),
        ("compute.backend", "ray", "'joblib' or 'dask'"),
        ("compute.processes", 0, "every core"),
        ("patches.balance_levels", -1, "greater than or equal to 0"),
        ("train.common.noise", -0.1, "greater than or equal to 0"),
        ("gate.min_gain", "much", "valid number"),
        ("gate.min_gain", float("nan"), "finite number"),
        ("train.s2.warm_up", 100_000, "fewer than steps"),
        ("train.s3.final_learning_rate", 0.5, "at most learning_rate"),
        ("train.s3.decay", "step", "decay_every: found None"),
        ("train.s3.decay_every", 50, "step needs it, and no other"),
        ("train.common.accumulate", 3, "a divisor of batch_size=8"),
        ("train.processes", 3, "common.batch_size=8 can be divided"),
        ("train.common.return_rate", 1.0, "less than 1"),
        ("train.s1.initial", {"weights": "builtin", "sha256": "0a49"}, "should match pattern"),
        ("train.s2.initial", {"weights": "builtin", "sha256": "0" * 64}, "s2 starts from s1's weights"),
        ("fetch.datasets", ["sample", "sample"], "sample more than once"),
        ("fetch.datasets", ["../x"], "should match pattern"),
        ("network.stem", True, "valid integer"),
        ("network.stem", 3, "1, 2 or 4"),
        ("network.features", 0, "1 or more"),
        ("network.features", 8.5, "valid integer"),
        ("network.slope", float("nan"), "finite number"),
        ("network.dme_dilations", [1, 2, 4, "two"], "valid integer"),
        ("network.preset", "huge", "'small' or 'paper'"),
        ("network.size", "small", "there is no such key"),
        ("network.sigma_max", 6.0, "there is no such key"),
        ("network", 3, "valid dictionary"),
    ],
)
def test_an_impossible_value_names_the_key_the_value_and_what_is_allowed(key, value, allowed):
    with pytest.raises(ParamsError) as caught:
        parse_params(changed(key, value), "params.yaml")
    message = str(caught.value)
    named = {"train.s1.epochs": "train.s1", "train.s3.decay": "train.s3.decay_every"}.get(key, key)
    assert named in message and allowed in message
    assert str(value) in message or isinstance(value, list | dict)


def test_small_numbers_may_be_written_as_dvc_writes_them(tmp_path):
    text = (ROOT / "params.yaml").read_text().replace("final_learning_rate: 0.0\n", "final_learning_rate: 1e-05\n")
    (tmp_path / "params.yaml").write_text(text)
    assert load_params(tmp_path / "params.yaml").train.s3.final_learning_rate == 1e-5


def test_a_crop_that_is_turned_must_leave_no_empty_corners():
    found = changed("train.common.rotation", 180.0)
    for angle, crop, room in ((180.0, 84, 127), (5.0, 109, 127)):
        found["train"]["common"] |= {"rotation": angle, "crop": crop}
        assert largest_extent(crop, angle) == room
        assert parse_params(found, "params.yaml").train.common.rotation == angle
        found["train"]["common"]["crop"] = crop + 2
        with pytest.raises(ParamsError, match=rf"rotation: found {angle}.*crops of {crop + 2} px need .* is 128"):
            parse_params(found, "params.yaml")


def test_a_missing_key_is_named():
    found = values()
    del found["train"]["s3"]["steps"], found["evaluate"], found["network"]["preset"]
    missing = r"network\.preset: the key is missing.*train\.s3.*exactly one.*evaluate: the key is missing"
    with pytest.raises(ParamsError, match=missing):
        parse_params(found, "params.yaml")


def test_a_file_that_is_missing_or_no_yaml_says_so(tmp_path):
    with pytest.raises(ParamsError, match="no such parameter file"):
        load_params(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ParamsError, match="not YAML"):
        load_params(tmp_path / "bad.yaml")
    (tmp_path / "bad.yaml").write_text("")
    with pytest.raises(ParamsError, match="found None, expected the sections fetch, compute"):
        load_params(tmp_path / "bad.yaml")


def test_no_key_has_a_name_that_dvcs_run_cache_leaves_out_of_its_hash():
    def keys(section):
        for key, value in section.items():
            yield key
            yield from keys(value) if isinstance(value, dict) else ()

    for name in ("params.yaml", "params.paper.yaml"):
        assert not {"size", "nfiles"} & set(keys(yaml.safe_load((ROOT / name).read_text())))
