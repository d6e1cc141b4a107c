// Puts the model and a prediction into words and tables.

const find = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function fillList(id, entries) {
  const cells = [];
  for (const [name, value] of entries) {
    if (value === null || value === undefined || value === "") continue;
    const term = document.createElement("dt");
    term.textContent = name;
    const detail = document.createElement("dd");
    detail.textContent = value;
    cells.push(term, detail);
  }
  find(id).replaceChildren(...cells);
}

/** Shows what the model is, and asks for the covariates that it needs. */
export function showModel(model) {
  const fitted = model.fitted || {};
  const learned = fitted.target ? `, from ${fitted.source} to ${fitted.target}` : "";
  find("model-line").textContent = `Tells ${model.classes.join(" from ")}${learned}.`;
  fillList("model-facts", [
    ["Model", fitted.name],
    ["Classes", model.classes.join(", ")],
    ["Licence", fitted.licence],
    ["SHA-256", model.sha256],
  ]);
  for (const option of [...find("point").options]) {
    const threshold = (fitted.points || {})[option.value];
    option.disabled = model.fitted !== null && (threshold === null || threshold === undefined);
  }
  const fields = model.covariates.map((name, number) => {
    const row = document.createElement("p");
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.id = label.htmlFor = `covariate-${number}`;
    input.name = label.textContent = name;
    input.autocomplete = "off";
    row.append(label, input);
    return row;
  });
  find("covariates").replaceChildren(...fields);
  find("diameter-row").hidden = !model.reads_diameter;
  find("disease").textContent = model.classes[model.classes.length - 1];
  find("card-details").hidden = !model.model_card;
  if (model.model_card) find("card").innerHTML = model.model_card.html;  // escaped by the service
}

/** Shows a prediction, and returns it as one sentence for a screen reader. */
export function showPrediction(prediction, model) {
  const calibrated = prediction.calibrated || prediction.probabilities;
  const disease = model.classes[model.classes.length - 1];
  const isRefused = prediction.refused.length > 0;
  const headline = isRefused ? "Refused: the model should not be trusted on this scan"
    : prediction.answer === "cannot tell" ? "Cannot tell" : `Answer: ${prediction.answer}`;
  find("answer-text").textContent = headline;
  find("refused").hidden = !isRefused;
  find("reasons").replaceChildren(...prediction.refused.map((reason) => {
    const item = document.createElement("li");
    item.textContent = reason.text;
    return item;
  }));
  find("probabilities").replaceChildren(...model.classes.map((name) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    const plausible = prediction.set === null ? "unknown"
      : prediction.set.includes(name) ? "yes" : "no";
    const known = prediction.calibrated ? percent(calibrated[name]) : "unknown";
    for (const text of [known, percent(prediction.probabilities[name]), plausible]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    return row;
  }));
  const called = prediction.class
    && `${prediction.class} (threshold ${prediction.threshold}, chosen for ${prediction.point})`;
  fillList("facts", [
    ["Class at the operating point", called || "unknown: the model folder has no threshold"],
    ["Model", prediction.model],
  ]);
  find("answer").hidden = false;
  const reasons = prediction.refused.map((reason) => reason.text).join(" ");
  return `${headline}. Probability of ${disease}: ${percent(calibrated[disease])}. ${reasons}`.trim();
}
