"""From a folder of scenes to a store: the same bytes wherever it is made, and nothing of another split."""

import hashlib
import socket

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sftdec.datasets import Scene, fetch, load_scene, read_index, select_scenes
from sftdec.datasets.photos import recipe_photo
from sftdec.datasets.scene import write_index, write_scene
from sftdec.params import FetchParams
from sftdec.patches import PatchStore, extract_patches, extract_store, write_store
from sftdec.patches.selection import balance, select_patches
from sftdec.runtime.errors import DataError
from sftdec.runtime.parallel import compute

HOW = {"size": 32, "stride": 20, "drop_least_sharp": 0.3}


def write_scenes(root, heights=(90, 91, 20, 93), splits=None):
    generator, rows = np.random.default_rng(0), []
    for number, height in enumerate(heights):
        sharp = generator.integers(0, 256, (height, 120, 3), np.uint8) // (1 + number)
        defocus = np.linspace(0, 1, height * 120, dtype=np.float32).reshape(height, 120) ** (number + 1)
        split = splits[number] if splits else "train"
        rows.append(
            write_scene(root, Scene(f"set/{number}", "set", split, f"photo{number}", 6.0, sharp // 2, sharp, defocus))
        )
    write_index(root, rows)
    return root


@pytest.fixture
def scenes(tmp_path):
    return write_scenes(tmp_path / "scenes")


def checksums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_scenes_gives_the_bytes_that_its_patches_in_memory_give(tmp_path, scenes):
    index = read_index(scenes)
    found = extract_store(scenes, index, tmp_path / "one", **HOW)
    patches = (patch for row in index.to_dict("records") for patch in extract_patches(load_scene(scenes, row), 32, 20))
    expected = write_store(tmp_path / "two", patches, 32, 0.3)
    pd.testing.assert_frame_equal(found, expected)
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two") and len(checksums(tmp_path / "one")) == 4


def test_each_row_of_the_index_is_where_it_says(tmp_path, scenes):
    with pytest.warns(UserWarning, match=r"1 scenes smaller than 32×32 px.*set/2; lower patches.patch_size"):
        index = extract_store(scenes, read_index(scenes), tmp_path / "out", **HOW)
    found = PatchStore(tmp_path / "out")
    whole = {row["scene"]: load_scene(scenes, row) for row in read_index(scenes).to_dict("records")}
    for number, row in index.iterrows():
        cut = (slice(row["top"], row["top"] + 32), slice(row["left"], row["left"] + 32))
        assert np.array_equal(found[number][0], whole[row["scene"]].blurred[cut])
        assert np.array_equal(found[number][1], whole[row["scene"]].sharp[cut])
        assert np.abs(found[number][2] / 65535 - whole[row["scene"]].defocus[cut]).max() < 1e-5
    assert set(index["scene"]) <= {"set/0", "set/1", "set/3"}  # set/2 is smaller than a window


@pytest.mark.slow
def test_two_processes_and_a_dask_cluster_of_two_workers_give_the_bytes_of_one_process(tmp_path, scenes):
    from distributed import LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    extract_store(scenes, read_index(scenes), tmp_path / "here", **HOW)
    with compute("joblib", None, 2) as run:
        extract_store(scenes, read_index(scenes), tmp_path / "processes", run=run, **HOW)
    with LocalCluster(host="127.0.0.1", **options) as cluster, compute("dask", cluster.scheduler_address) as run:
        extract_store(scenes, read_index(scenes), tmp_path / "cluster", run=run, **HOW)
        (scenes / "sharp" / "set" / "3.png").write_bytes(b"")
        with pytest.raises(DataError, match=r"3\.png"):  # what fails on a worker is heard here
            extract_store(scenes, read_index(scenes), tmp_path / "broken", run=run, **HOW)
    assert not (tmp_path / "broken" / "index.parquet").exists()
    assert checksums(tmp_path / "here") == checksums(tmp_path / "processes") == checksums(tmp_path / "cluster")


def test_a_place_to_compute_that_cannot_be_is_refused_by_its_key(monkeypatch):
    monkeypatch.setattr("sftdec.runtime.parallel.CONNECT", 1)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        nobody = f"tcp://127.0.0.1:{unused.getsockname()[1]}"
        for backend, address, processes, words in [
            ("dask", None, 1, r"compute\.address is empty"),
            ("dask", "nonsense://there", 1, r"compute\.address=nonsense://there"),
            ("dask", nobody, 1, "no dask scheduler answers"),
            ("ray", None, 1, r"compute\.backend: found 'ray'"),
            ("joblib", None, 0, r"compute\.processes: found 0"),
        ]:
            with pytest.raises(DataError, match=words), compute(backend, address, processes):
                pass


def test_a_cluster_without_a_worker_is_refused(monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr("sftdec.runtime.parallel.CONNECT", 1)
    with (
        LocalCluster(host="127.0.0.1", n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(DataError, match="no worker"),
        compute("dask", cluster.scheduler_address),
    ):
        pass


def test_scenes_of_several_splits_make_no_store(tmp_path):
    root = write_scenes(tmp_path / "scenes", splits=["train", "train", "test", "validation"])
    with pytest.raises(DataError, match="of one split, found test, train, validation"):
        extract_store(root, read_index(root), tmp_path / "out", **HOW)
    assert not (tmp_path / "out").exists()


def test_a_photo_that_another_split_has_too_is_refused(tmp_path, scenes):
    index = read_index(scenes)
    another = index.iloc[[1]].assign(scene="set/9", split="test")
    pd.concat([index, another]).to_parquet(scenes / "index.parquet", index=False)  # made elsewhere, and not checked
    with pytest.raises(DataError, match="photo set/photo1: in split train and in test"):
        extract_store(scenes, index, tmp_path / "out", **HOW)
    assert not (tmp_path / "out").exists()


def test_a_scene_whose_split_was_changed_after_it_was_indexed_is_refused(tmp_path):
    root = write_scenes(tmp_path / "scenes", splits=["train", "train", "test", "train"])
    index = read_index(root).assign(split="train")
    with pytest.raises(DataError, match="scene set/2: in split train and in test"):
        extract_store(root, index, tmp_path / "out", **HOW)


def test_a_size_that_fits_no_scene_is_refused_by_its_key_and_leaves_nothing(tmp_path, scenes):
    with pytest.raises(DataError, match=r"no patch of 400×400 px.*patches\.patch_size"):
        extract_store(scenes, read_index(scenes), tmp_path / "out", **(HOW | {"size": 400}))
    assert not (tmp_path / "out").exists()


def test_a_scene_that_cannot_be_read_leaves_no_half_store(tmp_path, scenes):
    (scenes / "defocus" / "set" / "3.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"3\.png"):
        extract_store(scenes, read_index(scenes), tmp_path / "out", **HOW)
    assert not (tmp_path / "out").exists()


def test_balanced_levels_hold_the_same_number_and_every_scene_keeps_its_share():
    sigma = np.concatenate([np.random.default_rng(0).exponential(0.7, 3000), [9.0]])  # mostly sharp, one far out
    kept = balance(sigma, 4)
    low, high = np.quantile(sigma, [0.05, 0.95])
    counts = np.histogram(np.clip(sigma[kept], low, high), np.linspace(low, high, 5))[0]
    assert len(set(counts)) == 1 and counts[0] > 100  # the one far out doesn't cut the others to one
    assert (np.diff(kept) > 0).all() and np.array_equal(kept, balance(sigma, 4))
    thirds = np.histogram(kept, [0, 1000, 2000, 3001])[0]
    assert thirds.min() > 0.8 * thirds.max()


def test_balancing_comes_after_the_least_sharp_are_gone_and_none_asked_for_changes_nothing():
    table = pd.DataFrame({"sharpness": np.arange(100.0), "sigma_mean": np.arange(100) % 10 / 3.0})
    assert select_patches(table, 0.3).tolist() == list(range(30, 100))
    assert select_patches(table, 0.3, 1).tolist() == list(range(30, 100))
    kept = select_patches(table, 0.3, 5)
    assert kept.min() >= 30 and len(set(np.bincount(np.arange(100)[kept] % 10 // 2))) == 1


def test_all_patches_of_one_defocus_stay_when_balanced():
    assert balance(np.full(7, 2.0), 5).tolist() == list(range(7))


def test_real_jpeg_pairs_take_less_than_twelve_times_their_size_on_the_disk(tmp_path):
    """Scenes, patches and sources together, nothing of it twice: DVC's cache and what is kept are links of them."""
    for number, name in enumerate(("china", "flower", "coffee")):
        sharp = recipe_photo(name)[100:260, 200:408]
        noise = np.random.default_rng(number).normal(0, 2, sharp.shape)
        for part, light in (("sharp", sharp), ("blurred", cv2.GaussianBlur(sharp, (0, 0), 2.5))):
            file = tmp_path / "data" / "mine" / ("train", "val", "test")[number] / part / f"{name}.jpg"
            file.parent.mkdir(parents=True)
            Image.fromarray(np.uint8(np.clip(light + noise, 0, 255))).save(file, quality=92)
    scenes = tmp_path / "scenes"
    index, _ = fetch(FetchParams(datasets=["mine"], sigma_max=6.0), tmp_path / "data", scenes)
    taken = dict.fromkeys(("data", "scenes", "patches"), 0)
    for split in ("train", "validation", "test"):
        extract_store(scenes, select_scenes(index, split), tmp_path / "patches" / split, size=64, stride=48)
    for folder in taken:
        files = [*(tmp_path / folder).rglob("*.*g"), *(tmp_path / folder).rglob("*.arrow")]
        taken[folder] = sum(file.stat().st_size for file in files)
    assert taken["scenes"] < 4 * taken["data"] and taken["patches"] < 7 * taken["data"], taken
    assert sum(taken.values()) < 12 * taken["data"], taken
