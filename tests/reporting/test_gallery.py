import numpy as np
import pytest

from sftdec.reporting.gallery import Gallery, load_comparisons, save_comparisons
from tests.evaluation.scenes import halfway, make_scene


@pytest.fixture
def gallery(tmp_path):
    gallery = Gallery(tmp_path / "figures")
    for name, dataset in (("b/0, “1”", "b"), ("a/1", "a")):
        scene = make_scene(name, dataset=dataset)
        gallery(scene, halfway(scene), scene.defocus / 2)
    return gallery


def test_what_was_saved_is_loaded_again_in_its_order_bit_by_bit(tmp_path, gallery):
    save_comparisons(tmp_path / "kept", gallery.comparisons)
    loaded = load_comparisons(tmp_path / "kept")
    assert [pair[:2] for pair in loaded] == [("b", "b/0, “1”"), ("a", "a/1")]
    for before, after in zip(gallery.comparisons, loaded, strict=True):
        assert all(np.array_equal(*pictures) for pictures in zip(before[2:], after[2:], strict=True))


def test_no_comparisons_are_no_error_but_a_folder_without_a_list_is(tmp_path):
    save_comparisons(tmp_path / "none", [])
    assert load_comparisons(tmp_path / "none") == []
    with pytest.raises(ValueError, match=r"comparisons\.csv: there is no such file.*dvc repro evaluate"):
        load_comparisons(tmp_path)
