// The request browser: unpacks what rows.py packed, filters it, shows fifty at a time. Data only ever becomes text.
(function () {
  "use strict";
  const PAGE = 50;
  const EQUAL = 1e-9;
  const blob = document.getElementById("requests-data");
  if (!blob) return;
  const given = JSON.parse(blob.textContent);
  const at = (name) => document.getElementById("requests-" + name);
  const form = at("form"), list = at("list"), count = at("count"), pager = at("pager");
  const filters = ["task", "right", "cause", "route"].map((name) => at(name));
  const state = { found: [], page: 0 };
  let words = [], items = [], all = [], byNumber = new Map();

  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const word = (index) => (index === null ? null : words[index]);

  function rowOf(raw) {
    if (!raw) return null;
    const [text, model, error, score, reason, latency, timed, cost, paid, who, route, steps] = raw;
    return {
      text, error, score, latency, cost, steps, model: word(model), reason: word(reason), timed: word(timed),
      paid: word(paid), who: word(who), route: word(route),
    };
  }

  function requestOf(raw) {
    const [number, item, repeat, causes, cause, legacy, direct, others] = raw;
    const [id, task, question, history, reference] = items[item];
    const request = {
      number, item, id, task: word(task), question, history, reference, cause, others, repeat: Boolean(repeat),
      causes: causes.map(word), legacy: rowOf(legacy), direct: rowOf(direct), text: null,
    };
    request.right = rightOf(request);
    return request;
  }

  function rightOf({ legacy, direct }) {
    if (!legacy || !direct || legacy.score === null || direct.score === null) return ["unknown"];
    const [one, other] = [legacy.score, direct.score];
    const right = one >= 1 ? (other >= 1 ? "both" : "legacy_only") : other >= 1 ? "direct_only" : "neither";
    return [right, Math.abs(one - other) <= EQUAL ? "equal" : one > other ? "legacy_higher" : "direct_higher"];
  }

  function searched(request) {
    if (request.text === null) {
      const rows = [request.legacy, request.direct].filter(Boolean);
      const parts = [request.id, "#" + request.number, request.question, ...request.history.flat()];
      request.text = parts.concat(rows.map((row) => row.text || row.error || "")).join("\n").toLowerCase();
    }
    return request.text;
  }

  function matches(request, sought, [task, right, cause, route]) {
    if (task && request.task !== task) return false;
    if (right && !request.right.includes(right)) return false;
    if (cause && !request.causes.includes(cause)) return false;
    const [arm, way] = route.split(":");
    if (route && (!request[arm] || request[arm].route !== way)) return false;
    return !sought.length || sought.every((each) => searched(request).includes(each));
  }

  function filter() {
    const sought = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = filters.map((each) => each.value);
    state.found = all.filter((request) => matches(request, sought, chosen));
    show(0);
  }

  function clear() {
    for (const each of [at("search"), ...filters]) each.value = "";
    filter();
  }

  const pages = () => Math.max(1, Math.ceil(state.found.length / PAGE));
  const grouped = (number) => number.toLocaleString("en-US");

  function show(page) {
    state.page = Math.min(Math.max(page, 0), pages() - 1);
    const first = state.page * PAGE;
    const shown = state.found.slice(first, first + PAGE);
    list.replaceChildren(...shown.map(entry));
    const range = shown.length ? `, ${grouped(first + 1)} to ${grouped(first + shown.length)} shown` : "";
    count.textContent = `${grouped(state.found.length)} of ${grouped(all.length)} requests${range}`;
    at("page").textContent = `page ${grouped(state.page + 1)} of ${grouped(pages())}`;
    for (const button of pager.querySelectorAll("button")) button.disabled = target(button.value) === state.page;
  }

  function target(way) {
    const last = pages() - 1;
    const to = { first: 0, previous: state.page - 1, next: state.page + 1, last }[way];
    return Math.min(Math.max(to, 0), last);
  }

  // One request in the list

  function entry(request) {
    const summary = make("summary", {},
      make("span", { class: "number" }, "#" + request.number), " ",
      make("span", { class: "task" }, request.task), " ",
      make("span", { class: "question" }, request.question), " ",
      make("span", { class: "answers" }, said("legacy", request.legacy), " ", said("direct", request.direct), " ",
        make("span", { class: "note" }, request.causes.join(", "))));
    const details = make("details", {}, summary);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(story(request));
    });
    return make("li", { id: "request-" + request.number }, details);
  }

  function said(arm, row) {
    return make("span", { class: "said" }, make("b", { class: "arm-" + arm }, arm), " ",
      make("span", { class: "mark-" + kind(row) }, row ? judged(row.score) : "not asked"),
      row ? ": " + answer(row) : "");
  }

  const kind = (row) => (!row || row.score === null ? "unknown" : row.score >= 1 ? "right" : row.score > 0 ? "partly" : "wrong");
  const judged = (score) =>
    score === null ? "no score" : score >= 1 ? "right" : score > 0 ? "scored " + plain(score) : "wrong";
  const answer = (row) => (row.error ? row.error : row.text === null ? "(text not kept)" : row.text);
  const plain = (figure) => String(Number(figure.toPrecision(4)));

  function seconds(figure) {
    if (Math.round(figure * 1e6) < 10000) return (figure * 1e6).toFixed(0) + " us";
    const ms = (figure * 1e3).toFixed(1);
    return Number(ms) < 1000 ? ms + " ms" : figure.toFixed(2) + " s";
  }

  // One request opened

  function story(request) {
    const same = all.filter((other) => other.item === request.item && other !== request);
    const facts = make("dl", {});
    const fact = (name, ...told) => facts.append(make("dt", {}, name), make("dd", {}, ...told));
    request.history.forEach(([user, assistant]) => fact("earlier", "user: " + user + "\nassistant: " + assistant));
    fact("question", request.question);
    fact("reference", request.reference === null ? "none" : request.reference);
    fact("cause", request.cause);
    fact("item", request.id + (request.repeat ? ", asked before" : ""));
    if (same.length) fact("also asked as", ...same.flatMap((other, index) => [index ? ", " : "", link(other.number)]));
    const sides = make("div", { class: "pair" }, side("legacy", request.legacy), side("direct", request.direct));
    return make("div", { class: "story" }, facts, sides, varied(request), link(request.number, "link to this request"));
  }

  const link = (number, text) => make("a", { href: "#request-" + number }, text || "#" + number);

  function side(arm, row) {
    if (!row) return make("div", {}, make("h3", { class: "arm-" + arm }, arm), make("p", {}, "not asked"));
    const score = row.score === null ? "score not measured" : "score " + plain(row.score);
    const called = (row.steps || []).some((step) => step[6]);
    const missing = called ? "not known" : "not measured";
    const time = row.latency === null ? "not measured" : seconds(row.latency) + (row.timed ? ` (${row.timed})` : "");
    const cost = row.cost === null ? missing : "$" + row.cost.toFixed(8) + (row.paid ? ` (${row.paid})` : "");
    return make("div", {},
      make("h3", { class: "arm-" + arm }, arm),
      make("p", { class: "text" }, answer(row)),
      make("p", {}, make("span", { class: "mark-" + kind(row) }, score), ": " + row.reason + "; by " + row.who),
      make("p", {}, "latency " + time + ", cost " + cost),
      row.steps === null ? make("p", {}, "steps not told") : steps(arm, row.steps));
  }

  function table(kind, caption, head, rows) {
    const cells = (row) => row.map((cell, index) => make(index ? "td" : "th", index ? {} : { scope: "row" }, cell));
    return make("div", { class: "scroll " + kind, role: "region", tabindex: "0", "aria-label": caption },
      make("table", {}, make("caption", {}, caption),
        make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row))))));
  }

  function steps(arm, raw) {
    const rows = raw.map(([name, outcome, start, took, detail, after, call]) => {
      const asked = call ? `${word(call[0])}, ${tokens(call[1])} tokens in, ${tokens(call[2])} out, ` +
        (call[4] === null ? "time not known" : `${seconds(call[4])} ${word(call[5])}`) : "";
      const told = [asked, detail, after ? "after the answer" : ""].filter(Boolean).join("; ");
      return [word(name), word(outcome), seconds(start), seconds(took), told];
    });
    return table("steps", "Steps of " + arm, ["step", "outcome", "starts at", "takes", "what"], rows);
  }

  const tokens = (number) => (number === null ? "unknown" : grouped(number));

  function varied(request) {
    if (!request.others.length) return null;
    const rows = request.others.map(([name, text, score, reason, who]) =>
      [word(name), text === null ? "(text not kept)" : text, plain(score) + ": " + word(reason), word(who)]);
    return table("varied", "The same request with parts of legacy taken away", ["legacy as", "answer", "score", "by"], rows);
  }

  // Moving about

  function open(number) {
    const request = byNumber.get(number);
    if (!request) {
      count.textContent = `Request ${number} is not on this page; see it with crossover explain.`;
      return;
    }
    if (!state.found.includes(request)) clear();
    const page = Math.floor(state.found.indexOf(request) / PAGE);
    if (page !== state.page) show(page);
    const details = document.getElementById("request-" + number).firstChild;
    details.open = true;
    details.scrollIntoView({ block: "start" });
    details.firstChild.focus({ preventScroll: true });
  }

  function openHash() {
    const named = /^#request-(\d+)$/.exec(location.hash);
    if (named) open(Number(named[1]));
  }

  function turn(way) {
    const to = target(way);
    if (to !== state.page) show(to);
  }

  function move(event) {
    if (event.target.tagName !== "SUMMARY") return;
    const summaries = [...list.querySelectorAll("summary")];
    const here = summaries.indexOf(event.target);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: summaries.length - 1 }[event.key];
    const way = { ArrowLeft: "previous", ArrowRight: "next" }[event.key];
    if (to === undefined && !way) return;
    event.preventDefault();
    if (way) turn(way);
    const next = way ? list.querySelector("summary") : summaries[to];
    if (next) next.focus();
  }

  function listen() {
    let waiting = 0;
    at("search").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(filter, 120);
    });
    filters.forEach((each) => each.addEventListener("change", filter));
    form.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    at("clear").addEventListener("click", clear);
    pager.addEventListener("click", (event) => event.target.value && turn(event.target.value));
    list.addEventListener("keydown", move);
    addEventListener("hashchange", openHash);
    document.addEventListener("click", (event) => {
      const link = event.target.closest && event.target.closest('a[href^="#request-"]');
      if (link && link.getAttribute("href") === location.hash) openHash();
    });
  }

  async function start() {
    if (!("DecompressionStream" in window)) {
      count.textContent = "This browser cannot unpack the requests: it has no DecompressionStream (Chrome 80, " +
        "Safari 16.4, Firefox 113 and later have it). crossover explain prints any of them.";
      return;
    }
    const unpacked = await unpack(given.gzip);
    ({ words, items } = unpacked);
    all = unpacked.requests.map(requestOf);
    byNumber = new Map(all.map((request) => [request.number, request]));
    form.hidden = pager.hidden = false;
    listen();
    filter();
    openHash();
  }

  start();
})();
