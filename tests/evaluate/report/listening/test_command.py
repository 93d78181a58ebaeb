"""`dgmix report` with a detector."""

import copy

import pytest
from html_page import Page


@pytest.fixture(scope="module")
def pump(workshop, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "pump.dgmix"
    workshop.detector.save(path)
    return path


def test_files_and_folders_are_reported(dgmix, workshop, pump, tmp_path):
    output = tmp_path / "new" / "monday.html"
    one = workshop.healthy / "clip_003.wav"
    options = ("-o", output, "--healthy", workshop.healthy, "--top", 1)
    status, out, _ = dgmix("report", pump, workshop.queries, one, *options)
    assert (status, out) == (0, f"{output}\n")
    page = Page(output.read_text("utf-8"))
    assert "pump.dgmix" in page.texts
    assert len(page.table("All recordings")) == 1 + 4 + 1
    assert [tag for tag, _ in page.elements].count("audio") == 2


def test_recordings_are_judged_by_the_condition_that_is_named(dgmix, workshop, tmp_path):
    detector = copy.deepcopy(workshop.detector)
    detector.update(workshop.queries / "calm_0.wav", conditions=["winter"]).save(
        tmp_path / "two.dgmix"
    )
    p_values = {}
    for domain in ("source", "winter"):
        output = tmp_path / f"{domain}.html"
        options = ("-o", output, "--condition", domain, "--top", 0)
        assert dgmix("report", tmp_path / "two.dgmix", workshop.queries, *options)[0] == 0
        rows = Page(output.read_text("utf-8")).table("All recordings")[1:]
        p_values[domain] = {row[0]: float(row[3]) for row in rows}
    recording = workshop.queries / "beep.wav"
    expected = {d: detector.p_values(recording, conditions=[d])[0] for d in p_values}
    by_condition = {d: values[str(recording)] for d, values in p_values.items()}
    assert by_condition == pytest.approx(expected, abs=5e-4)
    assert set(p_values["winter"].values()) <= {0.5, 1.0}  # all that one recording supports
    assert p_values["source"] != p_values["winter"]


def test_the_former_name_of_an_option_still_works(dgmix, workshop, pump, tmp_path):
    output = tmp_path / "old.html"
    options = ("-o", output, "--domain", "source", "--top", 0)
    status, _, errors = dgmix("report", pump, workshop.queries, *options)
    assert status == 0
    assert "--domain is now called --condition" in errors


def test_a_new_condition_is_refused_where_nothing_is_promised_of_it(
    dgmix, workshop, pump, tmp_path
):
    output = tmp_path / "none.html"
    options = ("-o", output, "--condition", "moon")
    status, _, complaint = dgmix("report", pump, workshop.queries, *options)
    assert status == 2
    assert complaint.startswith("dgmix: nothing is promised of new conditions: this needs")
    assert not output.exists()


def test_a_detector_alone_asks_for_recordings(dgmix, pump):
    status, _, complaint = dgmix("report", pump)
    assert status == 2
    assert complaint == (
        f"dgmix: {pump}: a detector; name the recordings that it is to score after it\n"
    )


def test_a_folder_is_no_detector(dgmix, workshop, tmp_path):
    status, _, complaint = dgmix("report", tmp_path, workshop.queries)
    assert status == 2
    assert complaint == f"dgmix: {tmp_path}: a folder; name the .dgmix file first\n"
