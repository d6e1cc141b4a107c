import base64
import errno
import gzip
import io
import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from fastapi import UploadFile
from PIL import Image

from graft.prediction.predictor import load
from graft.service.forms import PredictForm
from graft.service.settings import Limits
from graft.volumes.volume_files import read_volume
from tests.graft.service.conftest import (
    LESION,
    REAL_SERIES,
    SHAPE,
    SHARED,
    run_service,
    write_model,
    zipped,
)


def upload(path: Path) -> dict:
    return {"scan": (path.name, path.read_bytes())}


def read_view(content: bytes) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(content))


def expect_error(response, status: int, text: str) -> None:
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    assert text in response.json()["error"]
    assert "/tmp" not in response.text and "\\n" not in response.text


def test_a_prediction_is_that_of_the_library_to_the_last_digit(service, predictor, scan):
    expected = predictor.predict(scan, at=[float(mm) for mm in LESION.values()]).document()
    response = service.client.post("/predict", files=upload(scan), data=LESION)
    assert response.status_code == 200
    assert response.json() == {**json.loads(json.dumps(expected)), "scan": "", "map": None}
    assert response.json()["class"] == "malignant"
    assert response.json()["set"] is not None
    assert service.left_over() == []


@pytest.mark.parametrize("frame", ["lps", "voxel"])
def test_other_frames_mean_the_same_place(service, scan, frame):
    x, y, z = (float(mm) for mm in LESION.values())
    volume = read_volume(scan)
    place = (-x, -y, z) if frame == "lps" else volume.to_index(np.array([x, y, z]))
    fields = {**dict(zip("xyz", map(str, place), strict=True)), "frame": frame}
    by_frame = service.client.post("/predict", files=upload(scan), data=fields).json()
    by_mm = service.client.post("/predict", files=upload(scan), data=LESION).json()
    assert by_frame["probabilities"] == by_mm["probabilities"]


def test_a_mask_gives_the_position(service, predictor, scan, tmp_path):
    image = nibabel.load(scan)
    mask = np.zeros(image.shape, np.uint8)
    mask[10:14, 8:12, 6:9] = 1
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask, image.affine), path)
    files = {**upload(scan), "mask": ("m.nii.gz", path.read_bytes())}
    found = service.client.post("/predict", files=files).json()
    expected = predictor.predict(scan, mask=path).document()
    assert found["probabilities"] == expected["probabilities"]


def test_a_series_in_a_zip_is_predicted_as_its_folder(service, predictor, tmp_path, write_series):
    folder = tmp_path / "series"
    write_series(folder)  # of Loudvoice^Gertrude^Wilhelmina
    at = read_volume(folder).to_mm(np.array([5, 5, 3]))
    files = {"scan": ("Gertrude.zip", zipped(folder))}
    found = service.client.post(
        "/predict", files=files, data=dict(zip("xyz", map(str, at), strict=True))
    )
    assert found.json()["probabilities"] == predictor.predict(folder, at=at).probabilities
    assert "Gertrude" not in found.text + "".join(service.log)


def test_a_real_series_is_shown_and_predicted(service, predictor):
    files = {"scan": ("a.zip", zipped(REAL_SERIES))}
    response = service.client.post("/slices", files=files)
    assert read_view(response.content).shape == (16, 16, 5)
    assert response.headers["content-type"] == "application/gzip"
    fields = {"x": "8", "y": "8", "z": "2", "frame": "voxel"}
    found = service.client.post("/predict", files=files, data=fields).json()
    expected = predictor.predict(REAL_SERIES, at=(8, 8, 2), frame="voxel")
    assert found["probabilities"] == expected.probabilities


def test_a_sonogram_is_predicted_by_a_model_of_pictures(tmp_path):
    path = SHARED / "liver_us/images/H1.jpg"
    if not path.exists():
        pytest.skip(f"no real sonogram at {path}: set GRAFT_SHARED_DATA to try it")
    shape = {**SHAPE, "patch": [16, 16]}
    made = {"patch": [16, 16], "spacing": None, "window": [0.0, 255.0], "intensity": "window"}
    model = write_model(tmp_path / "model", architecture=shape, preprocessing=made)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    with run_service(model, uploads, Limits()) as running:
        view = read_view(running.client.post("/slices", files=upload(path)).content)
        found = running.client.post("/predict", files=upload(path)).json()
    assert view.shape == (300, 225, 1)
    assert found["probabilities"] == load(model, "cpu").predict(path).probabilities
    assert found["lesion"] is None


def test_the_view_and_the_map_share_a_grid_with_axes_to_r_a_and_s(service, scan):
    view = read_view(service.client.post("/slices", files=upload(scan)).content)
    assert view.shape == (30, 20, 24)  # of L, S, A
    assert nibabel.aff2axcodes(view.affine) == ("R", "A", "S")
    stored = np.asarray(nibabel.load(scan).dataobj)
    x, y, z = (float(mm) for mm in LESION.values())
    shown = np.rint(np.linalg.inv(view.affine) @ [x, y, z, 1])[:3].astype(int)
    at = np.rint(np.linalg.inv(nibabel.load(scan).affine) @ [x, y, z, 1])[:3].astype(int)
    assert np.asarray(view.dataobj)[tuple(shown)] == round((stored[tuple(at)] + 1000) / 2000 * 255)
    response = service.client.post(
        "/predict", files=upload(scan), data={**LESION, "explain": "true"}
    )
    heat = read_view(base64.b64decode(response.json()["map"]))
    assert np.array_equal(heat.affine, view.affine)
    evidence = np.abs(np.asarray(heat.dataobj).astype(int) - 128)
    assert evidence.max() == 127
    marked = nibabel.affines.apply_affine(view.affine, np.argwhere(evidence > 0)) - [x, y, z]
    assert np.abs(marked).max() <= 8 * 2.0 / 2 + 2.5, "outside of the patch"


def test_an_unfamiliar_scan_is_refused_and_counted(service, tmp_path, write_series):
    write_series(tmp_path / "series", step=np.array([0, 0, 4.0]))
    at = read_volume(tmp_path / "series").to_mm(np.array([5, 5, 3]))
    files = {"scan": ("a.zip", zipped(tmp_path / "series"))}
    fields = dict(zip("xyz", map(str, at), strict=True))
    found = service.client.post("/predict", files=files, data=fields).json()
    assert found["answer"] == "refused"
    assert [reason["check"] for reason in found["refused"]] == ["spacing"]
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    metrics = service.client.get("/metrics").text
    assert 'graft_refusals_total{check="spacing"} 1.0' in metrics
    assert 'graft_answers_total{answer="refused"} 1.0' in metrics


def test_a_picture_is_shown_upright_and_refused_by_a_model_of_volumes(service):
    pixels = np.zeros((6, 9, 3), np.uint8)
    pixels[0, 8] = (200, 100, 50)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    files = {"scan": ("a.png", content.getvalue())}
    view = np.asarray(read_view(service.client.post("/slices", files=files).content).dataobj)
    assert view.shape == (9, 6, 1)
    assert view[8, 5, 0].tolist() == (200, 100, 50)
    expect_error(service.client.post("/predict", files=files), 422, "picture")


def test_the_model_and_its_card(service, predictor):
    found = service.client.get("/model").json()
    assert found["sha256"] == predictor.sha256
    assert found["classes"] == ["benign", "malignant"]
    assert found["card"]["preprocessing"]["window"] == [-1000.0, 1000.0]
    assert found["fitted"]["points"] == {"sensitivity": 0.25, "specificity": None}
    assert found["fitted"]["target"] == "liver"
    assert found["model_card"]["markdown"].startswith("---")
    html = found["model_card"]["html"]
    assert "<h3>Liver &lt;b&gt;model&lt;/b&gt;</h3>" in html
    assert "<table>" in html and "license" not in html


def test_openapi_lists_the_fields_and_the_page_loads_nothing_from_elsewhere(service):
    found = service.client.get("/openapi.json").json()
    assert {"/predict", "/slices", "/model", "/health", "/metrics"} <= set(found["paths"])
    fields = found["components"]["schemas"]["PredictForm"]["properties"]
    assert {"scan", "x", "y", "z", "frame", "mask", "covariates", "point"} <= set(fields)
    for path in ("/", "/docs", "/page/main.js", "/page/style.css"):
        text = service.client.get(path).text
        assert "//cdn" not in text and "https://" not in text


def test_metrics_count_answers_and_name_nobody(service, scan):
    service.client.post("/predict", files=upload(scan), data=LESION)
    service.client.get("/Loudvoice^Gertrude")
    text = service.client.get("/metrics").text
    assert 'graft_requests_total{path="/predict",status="200"}' in text
    assert 'graft_requests_total{path="other",status="404"}' in text
    assert "graft_answers_total" in text
    assert "Loudvoice" not in text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "position"),
        ({"x": "nan", "y": "1", "z": "1"}, "x: "),
        ({"x": "1"}, "x, y and z together"),
        ({**LESION, "q": "1"}, "q: "),
        ({**LESION, "frame": "mars"}, "frame: "),
        ({**LESION, "covariates": "[" * 5000}, "JSON object"),
        ({**LESION, "covariates": "{"}, "JSON object"),
        ({**LESION, "covariates": '{"age": [61]}'}, "covariates: age: expected a number or text"),
        ({**LESION, "covariates": '{"smoker": true}'}, "smoker: expected a number or text"),
        ({**LESION, "series": "2"}, "DICOM"),
        ({"x": "900", "y": "0", "z": "0"}, "outside the scan"),
    ],
)
def test_a_wrong_field_is_named(service, scan, fields, text):
    response = service.client.post("/predict", files=upload(scan), data=fields)
    expect_error(response, 422, text)


def test_covariates_are_text_and_null_is_an_empty_one():
    text = '{"age": 61, "height": 1.7, "sex": null, "smoker": "no"}'
    form = PredictForm(scan=UploadFile(io.BytesIO()), covariates=text)
    assert form.covariates == {"age": "61", "height": "1.7", "sex": "", "smoker": "no"}


@pytest.mark.parametrize(
    ("name", "content", "status", "text"),
    [
        ("a.nii", b"", 422, "is empty"),
        ("a.nii.gz", b"no gzip", 422, "scan.nii.gz: "),
        ("a.zip", b"no zip", 422, "damaged"),
        ("a.txt", b"words", 415, "unknown kind"),
        ("a.dcm", b"words", 422, "scan.dcm: "),
        ("a.png", b"words", 422, "scan.png: "),
    ],
)
def test_a_damaged_upload_is_one_message_and_leaves_nothing(service, name, content, status, text):
    for path in ("/predict", "/slices"):
        response = service.client.post(path, files={"scan": (name, content)})
        expect_error(response, status, text)
    assert service.left_over() == []


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "multipart/form-data"}, b"x"),
        ({"content-type": "multipart/form-data; boundary=b"}, b"no parts"),
        ({"content-type": "application/json"}, b"{}"),
        ({}, b""),
    ],
)
def test_a_body_that_is_no_form_is_one_message(service, headers, content):
    response = service.client.post("/predict", content=content, headers=headers)
    assert response.status_code in (400, 422)
    assert list(response.json()) == ["error"]


def test_a_full_disk_asks_to_come_back(service, monkeypatch):
    def fail(file: object, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("graft.service.app._copy", fail)
    response = service.client.post("/slices", files={"scan": ("a.nii", b"x")})
    expect_error(response, 503, "cannot be stored")
    assert response.headers["retry-after"] == "60"
    assert service.left_over() == []


def test_a_lost_worker_is_replaced(start_service, scan):
    running = start_service(Limits(memory=1 << 30))
    [worker] = running.pool._workers
    os.kill(worker.process.pid, 9)
    response = running.client.post("/predict", files=upload(scan), data=LESION)
    expect_error(response, 422, "crashed")
    assert running.client.post("/predict", files=upload(scan), data=LESION).status_code == 200
    assert "graft_workers_lost_total 1.0" in running.client.get("/metrics").text.splitlines()
    assert running.left_over() == []


def test_work_that_takes_too_long_is_stopped(start_service, scan):
    running = start_service(Limits(seconds=0.3, memory=1 << 30))
    [worker] = running.pool._workers
    os.kill(worker.process.pid, 19)  # SIGSTOP: it will not answer
    response = running.client.post("/predict", files=upload(scan), data=LESION)
    expect_error(response, 422, "took more than 0.3 s")
    assert not worker.process.is_alive()


def test_a_scan_that_needs_too_much_memory_is_refused(start_service):
    running = start_service(Limits(memory=64 << 20))
    header = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).header
    header.set_data_shape((512, 512, 256))
    header["vox_offset"] = 352
    content = gzip.compress(header.binaryblock + bytes(4) + bytes(1 << 27), 1)
    response = running.client.post("/slices", files={"scan": ("a.nii.gz", content)})
    expect_error(response, 422, "memory")
    assert running.client.get("/health").json()["ready"]


def test_a_model_that_changes_on_the_disk_is_not_used(tmp_path, model_folder, scan):
    from graft.common.files import InputError
    from graft.service.worker import Job, Worker

    other = write_model(tmp_path / "other", classes=["a", "b"])
    sha256 = Worker(Job(other, "cpu", Limits(), None)).facts["sha256"]
    with pytest.raises(InputError, match=f"is {sha256}, expected 0000"):
        Worker(Job(other, "cpu", Limits(), "0000"))
