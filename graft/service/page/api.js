// Calls the service. The token comes with the address, once, and stays in this tab.

const KEY = "graft-token";

export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  setToken(given);
  history.replaceState(null, "", location.pathname);  // not in the history, nor in a screenshot
}

export function setToken(token) {
  sessionStorage.setItem(KEY, token);
}

export class ServiceError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** Sends fields as a form, or gets a path; throws ServiceError with the text of the service. */
export async function call(path, fields) {
  const options = {headers: {Authorization: `Bearer ${sessionStorage.getItem(KEY) || ""}`}};
  if (fields) {
    options.method = "POST";
    options.body = new FormData();
    for (const [name, value] of Object.entries(fields)) {
      if (value !== null && value !== undefined && value !== "") options.body.append(name, value);
    }
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ServiceError(0, "The service cannot be reached.");
  }
  if (answer.ok) return answer;
  const found = await answer.json().catch(() => ({}));
  throw new ServiceError(answer.status, found.error || `The service answered ${answer.status}.`);
}
