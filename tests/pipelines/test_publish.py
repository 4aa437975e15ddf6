from pipelines.stages.publish import publish


def test_copies_take_the_place_of_what_was_published_before(tmp_path):
    made, published = tmp_path / "build", tmp_path / "reports"
    for folder, text in ((made, "new"), (published, "old")):
        folder.mkdir()
        (folder / "table3.md").write_text(text)
    publish([made / "table3.md"], published)
    assert (published / "table3.md").read_text() == "new" and (made / "table3.md").read_text() == "new"
    assert [path.name for path in published.iterdir()] == ["table3.md"]
