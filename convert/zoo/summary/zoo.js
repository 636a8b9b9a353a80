const data = JSON.parse(byId("data").textContent);
const MEASURES = ["size", "sqnr", "top1", "latency"];
const BIGGER_IS_WORSE = new Set(["size", "latency"]);
const FIRST_ROWS = 200;
const FILTERS = ["q", "standing", "outcome", "tag", "target"];
const table = byId("rows");
const collator = new Intl.Collator("en", {numeric: true});
const kinds = new Map(data.targets.map((kind) => [kind.name, kind]));

/** What the reader sees is a function of this and the data; it lives in the address's fragment. */
let state = {};
let lastOrder = null;
let lastTarget = "";
let allRows = false;

const models = [...table.tBodies[0].rows].map((tr, index) => toModel(tr, data.rows[index], index));

const byRow = new Map(models.map((model) => [model.tr, model]));

function toModel(tr, row, index) {
  const model = {...row, index, tr, detail: null, secondsWords: tr.cells[8].textContent};
  model.search = [row.id, row.architecture, row.standing, row.outcome, row.why, row.license, ...row.tags].join("\n").toLowerCase();
  model.targets = row.targets.map((target) => {
    const numbers = Object.fromEntries(MEASURES.map((name, at) => [name, target.numbers[at]]));
    return {...target, ...numbers, ...kinds.get(target.name), model};
  });
  return model;
}

function shownTargets(model) {
  return state.target ? model.targets.filter((it) => it.name === state.target) : model.targets;
}

function matches(model) {
  return (
    (!state.standing || model.standing === state.standing) &&
    (!state.outcome || model.outcome === state.outcome) &&
    (!state.tag || model.tags.includes(state.tag)) &&
    (!state.target || shownTargets(model).length > 0) &&
    state.q.toLowerCase().split(/\s+/).every((word) => model.search.includes(word))
  );
}

/** What a column sorts by: of several files the worst; `null` stays last either way. */
function sortValue(model, key) {
  if (MEASURES.includes(key)) {
    const values = shownTargets(model).map((it) => it[key]).filter((it) => it !== null);
    if (!values.length) return null;
    return BIGGER_IS_WORSE.has(key) ? Math.max(...values) : Math.min(...values);
  }
  if (key === "standing") return data.standings.indexOf(model.standing) * 1000 + outcomes.indexOf(model.outcome);
  if (key === "tags") return model.tags.join(", ") || null;
  return model[key] === "" ? null : model[key];
}

function sorted(chosen) {
  if (!state.sort) return chosen;
  const sign = state.sort.startsWith("-") ? -1 : 1;
  const key = state.sort.replace(/^-/, "");
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  return chosen
    .map((model) => ({model, value: sortValue(model, key)}))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.model.index - b.model.index;
      return sign * compare(a.value, b.value) || a.model.index - b.model.index;
    })
    .map((it) => it.model);
}

function readState() {
  const told = new URLSearchParams(location.hash.slice(1));
  state = Object.fromEntries([...FILTERS, "sort", "open"].map((name) => [name, told.get(name) ?? ""]));
  showState();
  for (const name of FILTERS) state[name] = byId(name).value;
}

function showState() {
  for (const name of FILTERS) byId(name).value = state[name];
}

function writeState() {
  const told = new URLSearchParams(Object.entries(state).filter(([, value]) => value));
  history.replaceState(null, "", `${told}` ? `#${told}` : location.href.split("#")[0]);
}

function change(part) {
  Object.assign(state, {open: ""}, part);
  showState();
  writeState();
  apply();
}

function withoutFilters() {
  return Object.fromEntries(FILTERS.map((name) => [name, ""]));
}

function apply() {
  const chosen = models.filter(matches);
  reorder();
  showRows(new Set(chosen));
  showTarget();
  const all = chosen.length === models.length;
  byId("found").textContent = all ? counted(models.length, "model") : `${chosen.length.toLocaleString("en")} of ${counted(models.length, "model")}`;
  byId("clear").disabled = all && FILTERS.every((name) => !state[name]);
  draw(chosen);
}

/** Hides what does not match, and what is far down until it is asked for: a long table is slow to lay out. */
function showRows(chosen) {
  let count = 0;
  for (const tr of table.tBodies[0].rows) {
    const model = byRow.get(tr);
    if (!model) continue;
    tr.hidden = !chosen.has(model);
    if (!tr.hidden) count += 1;
    tr.classList.toggle("later", !tr.hidden && !allRows && count > FIRST_ROWS && !model.detail);
    if (model.detail) model.detail.hidden = tr.hidden;
  }
  byId("rest").hidden = allRows || count <= FIRST_ROWS;
  byId("rest").firstChild.textContent = `Show the other ${(count - FIRST_ROWS).toLocaleString("en")}`;
}

function reorder() {
  const order = `${state.sort} ${MEASURES.includes(state.sort.replace("-", "")) ? state.target : ""}`;
  if (order === lastOrder) return;
  if (lastOrder !== null || state.sort) {
    const body = document.createDocumentFragment();
    for (const model of sorted(models)) body.append(model.tr, ...(model.detail ? [model.detail] : []));
    table.tBodies[0].append(body);
  }
  lastOrder = order;
  for (const th of table.querySelectorAll("th[data-sort]")) {
    const way = {[th.dataset.sort]: "ascending", [`-${th.dataset.sort}`]: "descending"}[state.sort];
    if (way) th.setAttribute("aria-sort", way);
    else th.removeAttribute("aria-sort");
  }
}

/** The cells of one kind of file, or of all kinds below each other. */
function showTarget() {
  if (state.target === lastTarget) return;
  lastTarget = state.target;
  for (const model of models) {
    const targets = shownTargets(model);
    model.tr.cells[3].textContent = targets.map((it) => [it.title, it.mark].filter(Boolean).join(" ")).join("\n");
    MEASURES.forEach((_, at) => {
      model.tr.cells[4 + at].textContent = targets.map((it) => it.words[at]).join("\n");
    });
  }
  for (const button of byId("legend").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.target === state.target));
  }
}

function draw(chosen) {
  const files = chosen.flatMap(shownTargets);
  plots.size.draw(files);
  plots.latency.draw(files);
  plots.seconds.draw([...chosen]);
}

function toggle(model, open = !model.detail) {
  if (open === Boolean(model.detail)) return;
  const opener = model.tr.querySelector(".opener");
  opener.setAttribute("aria-expanded", String(open));
  model.tr.classList.toggle("open", open);
  if (open) {
    model.detail = detail(model);
    model.tr.after(model.detail);
  } else {
    model.detail.remove();
    model.detail = null;
  }
}

function detail(model) {
  const facts = [["Why", model.why], ...model.facts].filter(([, text]) => text);
  const list = element("dl", {}, ...facts.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]));
  const inside = element("div", {class: "inside"}, list);
  if (model.targets.length) inside.append(targetTable(model));
  const cell = element("td", {colspan: table.tHead.rows[0].cells.length}, inside);
  return element("tr", {class: "detail", id: `detail-${model.index}`}, cell);
}

function targetTable(model) {
  const heads = ["File", "Size", "SQNR", "Same top-1", "Latency", "Note"];
  const numeric = (at) => (at > 0 && at < 5 ? {class: "number"} : {});
  const head = element("tr", {}, ...heads.map((name, at) => element("th", {scope: "col", ...numeric(at)}, name)));
  const rows = model.targets.map((it) =>
    element(
      "tr",
      {},
      element("th", {scope: "row"}, it.title, element("code", {}, it.file)),
      ...it.words.map((words) => element("td", {class: "number"}, words)),
      element("td", {}, [it.mark, it.why].filter(Boolean).join(": ")),
    ),
  );
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

/** Opens a model's row and goes there; filters that hide it are dropped. */
function reveal(model) {
  if (!matches(model)) change(withoutFilters());
  state.open = model.id;
  writeState();
  toggle(model, true);
  model.tr.classList.remove("later");
  const box = table.closest(".table");
  box.scrollIntoView({block: "nearest"});
  box.scrollTop = Math.max(0, model.tr.offsetTop - table.tHead.offsetHeight - 8);
  model.tr.scrollIntoView({block: "nearest"});
  model.tr.querySelector(".opener").focus({preventScroll: true});
}

function follow() {
  readState();
  apply();
  const model = models.find((it) => it.id === state.open);
  if (model) reveal(model);
  else if (location.hash) byId("controls").scrollIntoView();
}

function options(select, values, any) {
  const made = values.map(([value, words]) => element("option", {value}, words));
  byId(select).replaceChildren(element("option", {value: ""}, any), ...made);
  byId(select).addEventListener("change", (event) => change({[select]: event.target.value}));
}

function tally(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0]));
}

function withCounts(pairs) {
  return pairs.map(([value, number]) => [value, `${value} (${number.toLocaleString("en")})`]);
}

function header(th) {
  const key = th.dataset.sort;
  const button = element("button", {type: "button"}, th.textContent);
  button.addEventListener("click", () => {
    change({sort: state.sort === key ? `-${key}` : state.sort === `-${key}` ? "" : key});
  });
  th.replaceChildren(button);
}

function opener(model) {
  const button = element("button", {
    type: "button",
    class: "opener",
    "aria-expanded": "false",
    "aria-controls": `detail-${model.index}`,
    "aria-label": `Details of ${model.id}`,
  });
  button.addEventListener("click", () => toggle(model));
  model.tr.cells[0].prepend(button);
}

function legend() {
  byId("legend").append(
    ...data.targets.map((kind) => {
      const glyph = drawn("svg", {viewBox: "-7 -7 14 14", "aria-hidden": "true"});
      glyph.append(drawn("path", {class: `slot-${kind.slot}`, d: SHAPES[kind.slot](0, 0, 5)}));
      const button = element("button", {type: "button", "data-target": kind.name, "aria-pressed": "false"}, glyph, kind.title);
      button.addEventListener("click", () => change({target: state.target === kind.name ? "" : kind.name}));
      return button;
    }),
    element("span", {}, "A ringed mark is a file that failed. Click a mark to go to its model."),
  );
}

const outcomes = tally(models.map((it) => it.outcome)).map(([name]) => name);
const plots = {
  size: new Scatter(byId("plot-size"), {title: "size", tick: sizeTick, measure: "size", choose: reveal}),
  latency: new Scatter(byId("plot-latency"), {title: "latency", tick: millisecondsTick, measure: "latency", choose: reveal}),
  seconds: new Histogram(byId("plot-seconds")),
};

function start() {
  document.documentElement.classList.add("scripted");
  options("standing", withCounts(tally(models.map((it) => it.standing))), "any");
  options("outcome", withCounts(tally(models.map((it) => it.outcome))), "any");
  options("tag", withCounts(tally(models.flatMap((it) => it.tags))), "any");
  options("target", data.targets.map((kind) => [kind.name, kind.title]), "all");
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("q").addEventListener("input", (event) => change({q: event.target.value}));
  byId("rest").firstChild.addEventListener("click", () => {
    allRows = true;
    apply();
  });
  byId("clear").addEventListener("click", () => change(withoutFilters()));
  table.querySelectorAll("th[data-sort]").forEach(header);
  models.forEach(opener);
  legend();
  follow();
  addEventListener("hashchange", follow);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) draw(models.filter(matches));
    width = innerWidth;
  });
}

start();
