// The cost of a decision and its break-even points, worked out anew as the assumptions are moved: the formulas of
// cost/per_decision.py and break_even.py once more, held to them by a test, then the form that they are bound to.
// `inputs` is what cost_inputs.py makes, `values` a number, or null for "not known", by name.
"use strict";
(() => {
  const ARMS = ["legacy", "direct"];
  const other = (arm) => ARMS[1 - ARMS.indexOf(arm)];
  const hours = (arm) => `${arm}_engineering_hours_per_month`;
  const add = (...parts) => parts.reduce((sum, part) => sum + (part ?? 0), 0);
  const over = (sum, under) => (under > 0 ? sum / under : Infinity);

  // Hours of the drills stand in where an hourly rate is set and no hours are.
  function withHours(inputs, values) {
    const unset = ARMS.every((arm) => values[hours(arm)] === null);
    if (!inputs.drill_hours || values.engineering_usd_per_hour === null || !unset) return values;
    return { ...values, ...Object.fromEntries(ARMS.map((arm) => [hours(arm), inputs.drill_hours[arm]])) };
  }

  // US dollars a prompt token, an output token and a call: without power, and of power (null: none on top).
  function priced(rate, v) {
    if (rate.by === "call") return v[rate.call] === null ? { missing: "its price is not set" } : { usd: [0, 0, v[rate.call]] };
    if (rate.by === "token") {
      const unset = ["input", "output"].filter((end) => v[rate[end]] === null);
      if (unset.length) return { missing: (unset.length === 2 && rate.missing) || `its ${unset.join(" and ")} price is not set` };
      return { usd: [v[rate.input] / 1e6, v[rate.output] / 1e6, 0] };
    }
    if (v[rate.rent] === null) return { missing: "its rent is not set" };
    const busy = (usdPerS) => [usdPerS / v.utilisation * rate.prompt_token_s, usdPerS / v.utilisation / rate.throughput_tok_s, 0];
    if (v.power_usd_per_kwh === null) return { usd: busy(v[rate.rent] / 3600) };
    if (rate.watts === null) return { missing: "its power is not known, and power_usd_per_kwh is set" };
    return { usd: busy(v[rate.rent] / 3600), power: busy(rate.watts / 1000 / 3600 * v.power_usd_per_kwh) };
  }

  const dot = (amounts, prices) => amounts.reduce((sum, amount, i) => sum + amount * prices[i], 0);
  const wrong = (counts, v) => Object.entries(counts).reduce((sum, [name, n]) => sum + n * v[name], 0);

  // US dollars over the counted requests, by part; null for a part that is left out or not known.
  function spending(inputs, arm, values) {
    const v = withHours(inputs, values), its = inputs.arms[arm];
    const parts = { tokens: its.reported, rejected: 0, power: null, wrong_answers: wrong(its.wrong, v) };
    let unpriced = inputs.reason || its.untold;
    for (const call of its.calls) {
      const price = priced(call.rate, v);
      if (price.missing) { unpriced ||= `${call.kind}: ${price.missing}`; continue; }
      for (const [name, use] of [["tokens", "used"], ["rejected", "spare"]]) {
        parts[name] += dot(call[use], price.usd);
        if (price.power) parts.power = add(parts.power, dot(call[use], price.power));
      }
    }
    if (unpriced) parts.tokens = parts.rejected = parts.power = null;
    const unshared = monthly(arm, its, v, parts);
    const running = add(parts.tokens, parts.rejected, parts.power, parts.wrong_answers);
    const month = add(parts.cache_storage, parts.engineering);
    const unknown = unpriced || unshared;
    const each = unknown ? null : over(running + month, its.acceptable);
    return { parts, unpriced, unshared, unknown, running, monthly: month, each, ...its };
  }

  // US dollars a month for keeping the cache; null where there are none.
  function storage(its, arm, v) {
    if (arm === "direct" || !its.steps_told || v.cache_storage_usd_per_gb_month === null) return null;
    return v.cache_storage_usd_per_gb_month * v.cache_gb;
  }

  // Adds what comes each month; returns why it is not known, "" where it is.
  function monthly(arm, its, v, parts) {
    const stored = storage(its, arm, v), rate = v.engineering_usd_per_hour;
    const share = v.requests_per_month === null ? null : its.requests / v.requests_per_month;
    const work = v[hours(arm)], without = v[hours(other(arm))];
    let unknown = "";
    parts.cache_storage = stored === null || share === null ? null : stored * share;
    parts.engineering = null;
    if (stored !== null && share === null) unknown = "cache storage: requests_per_month is not set, and cache_storage_usd_per_gb_month is";
    if (work === null && without === null) return unknown;
    if (work === null) return `engineering: ${hours(arm)} is not set, and ${other(arm)}'s is`;
    if (rate === null || share === null) {
      return `engineering: ${rate === null ? "engineering_usd_per_hour" : "requests_per_month"} is not set, and hours a month are`;
    }
    parts.engineering = work * rate * share;
    return unknown;
  }

  // Where atZero + slope x changes its sign for x within `least` and `most`; direct is better where it is above 0.
  function crossing(atZero, slope, now = null, most = Infinity) {
    const root = slope === 0 ? Infinity : -atZero / slope, there = slope !== 0 && root > 0 && root < most;
    const better = atZero + slope * (there && now !== null ? now : most === Infinity ? 1 : most / 2) > 0;
    if (!there) return { state: better ? "already past" : "never", value: null, wins: null, now };
    return { state: now !== null && better ? "already past" : "at", value: root, wins: slope > 0 ? "above" : "below", now };
  }

  const unknown = (reason) => ({ state: "unknown input", value: null, wins: null, now: null, reason });

  function missing(spent, withMonth) {
    for (const arm of ARMS) {
      const why = withMonth ? spent[arm].unknown : spent[arm].unpriced;
      if (why) return `what ${arm} costs a decision is not known (${why})`;
      if (spent[arm].acceptable <= 0) return `${arm} gave no acceptable answer`;
    }
    return "";
  }

  const apart = (spent, usd) => over(usd("legacy"), spent.legacy.acceptable) - over(usd("direct"), spent.direct.acceptable);

  function price(spent) {
    const { legacy, direct } = spent;
    if (legacy.each === null) return unknown(`what legacy costs a decision is not known (${legacy.unknown})`);
    if (legacy.acceptable <= 0) return unknown("legacy gave no acceptable answer");
    if (direct.unshared) return unknown(`what direct costs a decision is not known (${direct.unshared})`);
    if (!direct.tokens_told || direct.tokens <= 0) return unknown("how many tokens direct took is not known");
    const paid = add(direct.parts.tokens, direct.parts.rejected, direct.parts.power);
    const worth = direct.acceptable > 0 ? legacy.each * direct.acceptable : 0;
    const rest = add(direct.parts.wrong_answers, direct.monthly);
    return crossing(worth - rest, -direct.tokens / 1e6, direct.unpriced ? null : paid / direct.tokens * 1e6);
  }

  function hitRate(spent, v) {
    const why = missing(spent, true), its = spent.legacy, goal = spent.direct.each;
    if (why) return unknown(why);
    if (!its.steps_told) return unknown("legacy does not tell which of its answers are hits");
    const misses = its.requests - its.hits;
    if (its.hits <= 0 || misses <= 0) return unknown(`there were no ${its.hits <= 0 ? "hits" : "misses"}, so what one costs is not known`);
    const hitsUsd = its.reported_hits + wrong(its.wrong_hits, v);
    const miss = (its.running - hitsUsd - goal * (its.acceptable - its.acceptable_hits)) / misses;
    const hit = (hitsUsd - goal * its.acceptable_hits) / its.hits;
    return crossing(miss + its.monthly / its.requests, hit - miss, its.hits / its.requests, 1);
  }

  // What the two that rest on work need: hours of both, and the other of rate and volume.
  function noWork(spent, v, needed) {
    const unset = ARMS.find((arm) => v[hours(arm)] === null);
    if (unset) return `${hours(unset)} is not known`;
    return missing(spent, false) || (v[needed] === null ? `${needed} is not known` : "");
  }

  function volume(spent, v) {
    const why = noWork(spent, v, "engineering_usd_per_hour");
    if (why) return unknown(why);
    const month = (arm) => v[hours(arm)] * v.engineering_usd_per_hour + (storage(spent[arm], arm, v) ?? 0);
    return crossing(apart(spent, (arm) => month(arm) * spent[arm].requests), apart(spent, (arm) => spent[arm].running), v.requests_per_month);
  }

  function engineeringRate(spent, v) {
    const why = noWork(spent, v, "requests_per_month");
    if (why) return unknown(why);
    const rest = apart(spent, (arm) => spent[arm].running + (spent[arm].parts.cache_storage ?? 0));
    const slope = apart(spent, (arm) => v[hours(arm)] * spent[arm].requests / v.requests_per_month);
    return crossing(rest, slope, v.engineering_usd_per_hour);
  }

  // Everything at these values: what each arm spends, direct over legacy, and the break-even points.
  function measure(inputs, values) {
    const v = withHours(inputs, values);
    const spent = Object.fromEntries(ARMS.map((arm) => [arm, spending(inputs, arm, v)]));
    const [legacy, direct] = ARMS.map((arm) => spent[arm].each);
    const ratio = legacy === null || direct === null ? null : over(direct, legacy);
    const even = { price: price(spent), hit_rate: hitRate(spent, v), volume: volume(spent, v), engineering_rate: engineeringRate(spent, v) };
    return { spent, ratio, break_even: even };
  }

  window.crossoverCost = { measure };

  const blob = document.getElementById("cost-inputs"), form = document.getElementById("cost-form");
  if (!blob || !form) return;
  const inputs = JSON.parse(blob.textContent), results = document.getElementById("cost-results");
  const shown = (x) => new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4, maximumFractionDigits: 12 }).format(x);
  const dollars = (x) => (x === null || !Number.isFinite(x) ? "not known" : `$${shown(x)}`);
  const plain = (reason) => reason.replaceAll("_", " ");
  let values = { ...inputs.values };

  const rows = [...form.querySelectorAll(".slider")].map((box) => ({
    name: box.dataset.name, low: Number(box.dataset.low), high: Number(box.dataset.high), zero: "zero" in box.dataset,
    slide: box.querySelector("[type=range]"), number: box.querySelector("[type=number]"), said: box.querySelector("output"),
  }));

  // Even steps are even steps of the ratio; where there is a 0, it is the left end.
  function place(row, value) {
    if (value === null || value <= 0) return 0;
    return Math.min(Math.max(1000 * Math.log(value / row.low) / Math.log(row.high / row.low), row.zero ? 1 : 0), 1000);
  }
  function at(row, position) {
    if (position <= 0) return row.zero ? 0 : row.low;
    return position >= 1000 ? row.high : Number((row.low * (row.high / row.low) ** (position / 1000)).toPrecision(3));
  }

  function show(row) {
    const value = values[row.name], first = inputs.values[row.name];
    const drills = value === null ? withHours(inputs, values)[row.name] : null;
    let text = first === null ? "not known in the run" : `the run has ${shown(first)}`;
    if (drills !== null) text = `${shown(drills)} by the drills`;
    else if (value === first) text = value === null ? "not known" : "as in the run";
    row.said.textContent = text;
    row.slide.setAttribute("aria-valuetext", value === null ? "not known" : shown(value));
  }

  function fill(row) {
    const value = values[row.name];
    if (document.activeElement !== row.slide) row.slide.value = place(row, value);
    if (document.activeElement === row.number) return;
    row.number.value = value ?? "";
    row.number.setAttribute("aria-invalid", false);
  }

  // Which of the two is the cheaper, and what the verdict's rule makes of it. Results in, sentences out.
  function said(found) {
    const { spent, ratio } = found, none = ARMS.find((arm) => spent[arm].unknown || spent[arm].acceptable <= 0);
    const quality = inputs.quality;
    let cost, word;
    if (none) {
      cost = `Which of the two is the cheaper is not known: ${none}: ${plain(spent[none].unknown) || "no answer was acceptable"}.`;
      word = "undecided, since cost is not known";
    } else if (spent.legacy.each === spent.direct.each) {
      cost = "Both cost the same a decision.";
      word = "by p99, since the costs are the same";
    } else {
      const less = spent.direct.each < spent.legacy.each;
      const times = Number.isFinite(ratio) ? `${shown(ratio)} times what it costs legacy` : "something, and legacy nothing";
      cost = `A decision costs direct ${times}: ${less ? "direct" : "legacy"} is the cheaper.`;
      word = `${less ? "migrate" : "keep"}, if an interval around these costs says the same`;
    }
    if (!quality.measured) word = "undecided whatever the cost, since quality is not measured";
    else if (quality.word === "worse") word = "keep whatever the cost, since direct is worse in quality";
    else if (!quality.not_worse) word = "undecided whatever the cost, since quality is not shown to be not worse";
    const claimed = inputs.claim && Object.entries(inputs.claim.values).every(([name, value]) => values[name] === value);
    if (claimed) cost += " Direct's price is the vendor's claim.";
    return `${cost} For all requests together the rule of the verdict then says: ${word}.`;
  }

  const units = { price: dollars, hit_rate: (x) => `${shown(100 * x)} %`, volume: shown, engineering_rate: dollars };
  function wins(name, even) {
    if (even.state === "unknown input") return `not known: ${plain(even.reason)}`;
    if (even.value === null) return even.state === "never" ? "at no value" : "at every value";
    return `${even.wins} ${units[name](even.value)}`;
  }
  function now(name, even) {
    if (even.state === "unknown input" || even.now === null) return "not known";
    const there = even.value === null ? "" : even.state === "already past" ? ": past it" : ": not past it";
    return units[name](even.now) + there;
  }

  // A part that is null is not known where it was asked for, else it is left out of the sum.
  function cell(name, its, arm) {
    if (name === "sum") return dollars(its.each === null ? null : 1000 * its.each);
    const part = its.parts[name], v = withHours(inputs, values);
    if (part !== null) return dollars(1000 * over(part, its.acceptable));
    const asked = { power: false, cache_storage: storage(its, arm, v) !== null, engineering: ARMS.some((each) => v[hours(each)] !== null) };
    return asked[name] ?? true ? "not known" : "left out";
  }

  const put = (key, text) => { results.querySelector(`[data-cell="${key}"]`).textContent = text; };
  function update() {
    const found = measure(inputs, values);
    rows.forEach(show);
    for (const arm of ARMS) for (const name of [...Object.keys(found.spent[arm].parts), "sum"]) put(`${arm} ${name}`, cell(name, found.spent[arm], arm));
    for (const [name, even] of Object.entries(found.break_even)) {
      put(`${name} wins`, wins(name, even));
      put(`${name} now`, now(name, even));
    }
    document.getElementById("cost-said").textContent = said(found);
  }

  for (const row of rows) {
    row.slide.addEventListener("input", () => set({ [row.name]: at(row, Number(row.slide.value)) }));
    row.number.addEventListener("input", () => {
      const { value, validity } = row.number;
      row.number.setAttribute("aria-invalid", !validity.valid);
      if (validity.valid) set({ [row.name]: value === "" ? null : Number(value) });
    });
  }
  // What somebody is just typing, or moving, is left as it is.
  function set(changed) {
    values = { ...values, ...changed };
    for (const row of rows) if (row.name in changed) fill(row);
    update();
  }
  document.getElementById("cost-reset").addEventListener("click", () => set(inputs.values));
  document.getElementById("cost-claim")?.addEventListener("click", () => set(inputs.claim.values));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = results.hidden = false;
  set(values);
})();
