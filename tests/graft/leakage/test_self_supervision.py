"""Images that a network would learn from without labels, and that evaluate a model."""

from dataclasses import replace

import numpy as np
import pytest

from graft.common.files import InputError
from graft.leakage.self_supervision import select_images
from graft.leakage.split_domain import SplitDomain
from tests.graft.leakage.examples import COPIES, HALF_LABELLED, make, with_column, with_image

SOURCE = make("lung")
TARGET = make("liver", HALF_LABELLED)
REFUSE = {"lung": HALF_LABELLED, "liver": HALF_LABELLED}
KEEP_FIRST = {
    name: rules.model_copy(update={"duplicates": "keep-first"}) for name, rules in REFUSE.items()
}


def select(source: SplitDomain = SOURCE, target: SplitDomain = TARGET, rules=REFUSE, **options):
    selected, row = select_images([source, target], [source, target], rules, **options)
    return {domain.name: rows.tolist() for domain, rows in selected}, row


def unused_row() -> int:
    return int(np.flatnonzero(TARGET.parts == "")[0])


def test_training_images_and_those_without_labels_are_selected_and_no_others():
    selected, row = select()
    assert selected["lung"] == SOURCE.rows("train").tolist()
    assert selected["liver"] == np.flatnonzero(TARGET.parts.isin(["train", ""])).tolist()
    assert len(selected["liver"]) > len(TARGET.rows("train"))
    assert row["domain"] == "lung and liver"
    assert row["found"] == "no patient and no image in both, nor a near copy"
    images = len(selected["lung"]) + len(selected["liver"])
    assert row["looked_at"].startswith(f"{images} images to learn from")


@pytest.mark.parametrize(
    ("evidence", "part"),
    [("identical", "validation"), ("mirrored", "test"), ("coarse correlation", "external")],
)
def test_a_test_image_among_the_unused_ones_is_one_line(evidence, part):
    row, judged = unused_row(), TARGET.rows(part)[0]
    copy = COPIES[evidence](TARGET.domain.images[judged])
    with pytest.raises(InputError) as caught:
        select(target=with_image(TARGET, row, copy))
    message = str(caught.value)
    assert message.startswith(
        "domains.liver: 1 image for self-supervision would be used to evaluate a model: "
        f"manifest.csv:{row + 2} (unused) and manifest.csv:{judged + 2} ({part}), "
    )
    assert evidence in message
    assert "\n" not in message
    assert "expected" in message


@pytest.mark.parametrize("part", ["validation", "external"])
def test_a_training_image_of_the_target_in_a_test_part_of_the_source_is_refused(part):
    row, judged = TARGET.rows("train")[0], SOURCE.rows(part)[0]
    target = with_image(TARGET, row, SOURCE.domain.images[judged])
    with pytest.raises(InputError, match=rf"liver: 1 image .*\(train\) and .*\({part}\), ident"):
        select(target=target)


def test_a_patient_of_the_source_test_among_the_targets_unused_is_refused():
    row, judged = unused_row(), SOURCE.rows("test")[0]
    target = with_column(TARGET, row, patient=f"lung-{judged}")
    with pytest.raises(InputError, match=r"\(unused\) and manifest.csv:\d+ \(test\), one patient"):
        select(target=target)


def test_an_unused_copy_that_the_split_may_leave_out_is_left_out_here_too():
    row, judged = unused_row(), TARGET.rows("test")[0]
    target = with_image(TARGET, row, TARGET.domain.images[judged])
    selected, found = select(target=target, rules=KEEP_FIRST)
    assert row not in selected["liver"]
    assert found["found"].endswith("; 1 unused left out, whose patient or picture evaluates")


@pytest.mark.parametrize("evidence", ["identical", "coarse correlation"])
def test_every_copy_of_a_test_image_is_left_out(evidence):
    unused = np.flatnonzero(TARGET.parts == "")[:3].tolist()
    copy = COPIES[evidence](TARGET.domain.images[TARGET.rows("external")[0]])
    target = TARGET
    for row in unused:
        target = with_image(target, row, copy)
    selected, _ = select(target=target, rules=KEEP_FIRST)
    assert not set(unused) & set(selected["liver"])


def test_a_training_image_is_never_left_out_silently():
    row, judged = TARGET.rows("train")[0], SOURCE.rows("test")[0]
    target = with_image(TARGET, row, SOURCE.domain.images[judged])
    with pytest.raises(InputError, match="1 image for self-supervision"):
        select(target=target, rules=KEEP_FIRST)


def test_a_copy_of_a_training_image_may_be_unused():
    row, train = unused_row(), TARGET.rows("train")[0]
    selected, _ = select(target=with_image(TARGET, row, TARGET.domain.images[train]))
    assert row in selected["liver"]


def test_images_of_the_source_may_not_be_in_any_part_that_folds_test():
    source_row, target_row = SOURCE.rows("train")[0], TARGET.rows("train")[0]
    target = with_image(TARGET, target_row, SOURCE.domain.images[source_row])
    select_images([SOURCE], [SOURCE, target], REFUSE)
    with pytest.raises(InputError, match=r"lung: 1 image .* and manifest.csv:\d+ \(train\)"):
        select_images([SOURCE], [SOURCE, target], REFUSE, everybody="liver")


def test_one_domain_may_be_source_and_target():
    selected, row = select_images([TARGET], [TARGET], REFUSE)
    assert len(selected) == 1
    assert row["domain"] == "liver"


def test_a_domain_without_unused_images_gives_its_training_part():
    everything = replace(TARGET, parts=TARGET.parts.replace("", "train"))
    selected, _ = select(target=everything)
    assert selected["liver"] == everything.rows("train").tolist()
