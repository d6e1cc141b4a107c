// The page: choose a scan, point at the lesion, read the answer.

import {call, setToken, takeToken} from "./api.js";
import {readNifti} from "./nifti.js";
import {showModel, showPrediction} from "./results.js";
import {Viewer} from "./viewer.js";

const PICTURES = /\.(png|jpe?g|tiff?|bmp)$/i;
const find = (id) => document.getElementById(id);
const viewer = new Viewer(find("view"), describePosition, predict);
let file = null;
let model = null;
let request = 0;  // the newest: answers to older ones are dropped

/** Tells it to people who see the page, and to those who hear it. */
function say(text) {
  find("status").classList.remove("unseen");
  find("error").hidden = true;
  find("error").textContent = "";
  find("status").textContent = text;
}

function fail(error) {
  if (error.status === 401) find("token-section").hidden = false;
  find("status").textContent = "";
  find("error").textContent = error.message;
  find("error").hidden = false;
}

async function loadModel() {
  try {
    model = await (await call("/model")).json();
  } catch (error) {
    find("model-line").textContent = "";
    fail(error);
    return;
  }
  find("token-section").hidden = true;
  showModel(model);
}

async function open(chosen) {
  if (!chosen) return;
  file = chosen;
  const number = ++request;
  find("lesion").hidden = find("answer").hidden = true;
  find("predict").disabled = false;  // an answer about the last scan is dropped
  say("Reading the scan…");
  let scan;
  try {
    const fields = {scan: file, series: find("series").value, window: find("window").value};
    scan = await readNifti(await (await call("/slices", fields)).arrayBuffer());
  } catch (error) {
    if (number === request) fail(error);
    return;
  }
  if (number !== request) return;
  find("lesion").hidden = false;
  const isPicture = PICTURES.test(file.name);
  find("slice-row").hidden = scan.size[2] === 1;
  find("slice").max = scan.size[2] - 1;
  find("opacity").disabled = true;
  find("map-help").hidden = true;
  find("view-help").hidden = isPicture;
  viewer.show(scan, isPicture);
  const [columns, rows, slices] = scan.size;
  say(isPicture
    ? `The picture has ${columns} by ${rows} pixels. Press Predict.`
    : `The scan has ${slices} slices of ${columns} by ${rows} pixels. Point at the lesion.`);
}

function describePosition() {
  const {scan, cross} = viewer;
  const number = `${cross[2] + 1} of ${scan.size[2]}`;
  find("slice").value = cross[2];
  find("slice-number").textContent = number;
  find("slice").setAttribute("aria-valuetext", number);
  if (viewer.isPicture) {
    find("position").textContent = "The model looks at the middle of the picture.";
    find("view").setAttribute("aria-label", "The picture");
    return;
  }
  const [x, y, z] = viewer.position.map((value) => value.toFixed(1));
  find("position").textContent =
    `Cross at x ${x}, y ${y}, z ${z} mm (RAS+), slice ${number}`;
  find("view").setAttribute("aria-label", `Slice ${number}, cross at ${x}, ${y}, ${z} mm`);
}

function readCovariates() {
  const values = {};
  for (const input of find("covariates").querySelectorAll("input")) {
    values[input.name] = input.value;
  }
  return JSON.stringify(values);
}

async function predict() {
  if (!file || !viewer.scan) return;
  const mask = find("mask").files[0];
  if (!viewer.isChosen && !mask) {
    say("Point at the lesion first: click it, or move the cross by the arrow keys.");
    return;
  }
  const number = ++request;
  const fields = {
    scan: file, series: find("series").value, mask, segment: find("segment").value,
    covariates: readCovariates(), diameter_mm: find("diameter").value,
    point: find("point").value, explain: "true",
  };
  if (!viewer.isPicture && !mask) {
    [fields.x, fields.y, fields.z] = viewer.position;
    fields.frame = "ras";
  }
  viewer.showMap(null);
  find("map-help").hidden = true;
  find("answer").hidden = true;
  find("predict").disabled = true;
  say("Predicting…");
  try {
    const prediction = await (await call("/predict", fields)).json();
    if (number !== request) return;
    if (prediction.map) {
      const bytes = Uint8Array.from(atob(prediction.map), (letter) => letter.charCodeAt(0));
      viewer.showMap(await readNifti(bytes));
    }
    find("opacity").disabled = !prediction.map;
    find("map-help").hidden = !prediction.map;
    say(showPrediction(prediction, model));
    find("status").classList.add("unseen");  // the answer below it says the same
  } catch (error) {
    if (number === request) fail(error);
  } finally {
    if (number === request) find("predict").disabled = false;
  }
}

find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(find("token").value);
  say("");
  loadModel();
});
find("file").addEventListener("change", (event) => open(event.target.files[0]));
for (const id of ["series", "window"]) find(id).addEventListener("change", () => open(file));
find("slice").addEventListener("input", (event) => viewer.goToSlice(Number(event.target.value)));
find("opacity").addEventListener("input", (event) => {
  viewer.opacity = event.target.value / 100;
  viewer.draw();
});
find("predict").addEventListener("click", predict);
for (const name of ["dragover", "drop", "dragleave"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") open(event.dataTransfer.files[0]);
  });
}
takeToken();
loadModel();
