// Shows /openapi.json as a page, without a library from elsewhere.

function make(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...children);
  return made;
}

function describeType(schema) {
  const options = schema.anyOf || [schema];
  return options.map((option) => {
    if (option.enum) return option.enum.join(" | ");
    if (option.contentMediaType) return "file";
    return option.type || "any";
  }).filter((name) => name !== "null").join(" or ");
}

function describeFields(operation, schemas) {
  const content = operation.requestBody?.content?.["multipart/form-data"];
  if (!content) return [];
  const schema = schemas[content.schema.$ref.split("/").pop()];
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const needed = (schema.required || []).includes(name) ? "required" : "";
    const head = make("th", name);
    head.scope = "row";
    return make("tr", "", head, make("td", describeType(field)), make("td", needed),
      make("td", field.description || ""));
  });
  const titles = ["Field", "Type", "", "Meaning"].map((title) => {
    const head = make("th", title);
    head.scope = "col";
    return head;
  });
  const head = make("thead", "", make("tr", "", ...titles));
  return [make("table", "", make("caption", "Form fields"), head, make("tbody", "", ...rows))];
}

const found = await (await fetch("/openapi.json")).json();
const sections = [];
for (const [path, methods] of Object.entries(found.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    sections.push(make("section", "", make("h2", `${method.toUpperCase()} ${path}`),
      make("p", operation.description || operation.summary || ""),
      ...describeFields(operation, found.components.schemas)));
  }
}
document.getElementById("paths").replaceChildren(...sections);
