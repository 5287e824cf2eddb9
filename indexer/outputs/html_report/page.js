"use strict";
(() => {
  const STEP = 50, LONGEST_NAME = 160, LARGEST_TABLE = 4e6, OTHER_NAMES = 2, ANY = "*", NOT_EXACT = "near";
  const find = (id) => document.getElementById(id);
  const list = find("list"), status = find("status"), more = find("more");
  const controls = ["query", "source", "change", "size", "low", "order"].map(find);
  const [query, source, change, size, low, order] = controls;
  let columns, hidden, clusters, found = [], drawn = 0;

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  /* The text a search compares: without case and accents. */
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  /* Text of the input: isolated, so that it cannot turn the words around it, and what is invisible is marked. */
  function shown(text, tag = "bdi") {
    const made = element(tag);
    let from = 0;
    for (const match of text.matchAll(hidden)) {
      const code = "U+" + match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      made.append(text.slice(from, match.index), element("span", { class: "hidden-character" }, code));
      from = match.index + match[0].length;
    }
    made.append(text.slice(from));
    return made;
  }

  const cut = (text) => (text.length <= LONGEST_NAME ? text : Array.from(text).slice(0, LONGEST_NAME).join("") + "…");

  /* Runs of [kind, text] that turn one text into another; kind is "=", "+" or "-". Longest common subsequence. */
  function differences(before, after) {
    const left = Array.from(before), right = Array.from(after), runs = [];
    const same = (i, j) => left[i] === right[j] || left[i].toLowerCase() === right[j].toLowerCase();
    let start = 0, endLeft = left.length, endRight = right.length;
    while (start < endLeft && start < endRight && same(start, start)) start++;
    while (endLeft > start && endRight > start && same(endLeft - 1, endRight - 1)) { endLeft--; endRight--; }
    const add = (kind, text) => {
      if (!text) return;
      const last = runs[runs.length - 1];
      if (last && last[0] === kind) last[1] += text; else runs.push([kind, text]);
    };
    add("=", right.slice(0, start).join(""));
    const n = endLeft - start, m = endRight - start;
    if (n * m > LARGEST_TABLE) {
      add("-", left.slice(start, endLeft).join(""));
      add("+", right.slice(start, endRight).join(""));
    } else {
      const table = new Uint16Array((n + 1) * (m + 1)), width = m + 1;
      for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--)
        table[i * width + j] = same(start + i, start + j) ? table[(i + 1) * width + j + 1] + 1
          : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
      for (let i = 0, j = 0; i < n || j < m;) {
        if (i < n && j < m && same(start + i, start + j)) { add("=", right[start + j]); i++; j++; }
        else if (j >= m || (i < n && table[(i + 1) * width + j] >= table[i * width + j + 1])) add("-", left[start + i++]);
        else add("+", right[start + j++]);
      }
    }
    add("=", right.slice(endRight).join(""));
    return runs;
  }

  /* A short run of equal characters between longer changes is chance: it is marked as changed, too. */
  function tidied(runs) {
    const size = ([kind, text]) => (kind === "=" ? 0 : text.length);
    for (let at = 1; at < runs.length - 1; at++) {
      const [kind, text] = runs[at];
      if (kind !== "=") continue;
      let start = at, end = at + 1, changed = 0;
      while (start > 0 && runs[start - 1][0] !== "=") changed += size(runs[--start]);
      while (end < runs.length && runs[end][0] !== "=") changed += size(runs[end++]);
      if (start === at || end === at + 1 || 2 * text.length >= changed) continue;
      const merged = { "-": "", "+": "" };
      for (const [which, part] of runs.slice(start, end)) {
        if (which !== "+") merged["-"] += part;
        if (which !== "-") merged["+"] += part;
      }
      runs.splice(start, end - start, ["-", merged["-"]], ["+", merged["+"]]);
      at = 0;
    }
    return runs;
  }

  function compared(before, after) {
    const made = element("bdi");
    for (const [kind, text] of tidied(differences(before, after))) {
      const tag = kind === "+" ? "ins" : kind === "-" ? "del" : "span";
      made.append(shown(text, tag));
    }
    return made;
  }

  const number = (value) => value.toLocaleString("en");
  const probability = (value) => (Math.floor(value * 1000 + 1e-6) / 1000).toFixed(3);

  function row(cluster, member, used) {
    const [from, id, text, value, exact, reasons, cells] = member, first = cluster.members[0];
    const why = member === first ? "compared with the others" : element("ul", {}, ...reasons.map((reason) => element("li", {}, shown(reason.replace(" ", "\u00a0")))));
    return element("tr", {},
      element("td", { class: "text" }, member === first ? shown(text) : compared(first[2], text)),
      element("td", { class: "number" }, value === null ? "first" : exact ? "exact" : probability(value)),
      element("td", { class: "reasons" }, why),
      element("td", { class: "cell" }, shown(from)),
      element("td", { class: "id" }, shown(id)),
      ...used.map((at) => element("td", { class: "cell" }, shown(cells[at] ?? ""))));
  }

  function members(cluster) {
    const used = columns.map((_, at) => at).filter((at) => cluster.members.some((member) => member[6][at]));
    const heads = ["text", "probability", "reasons", "source", "id", ...used.map((at) => columns[at])];
    const table = element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, shown(head))))),
      element("tbody", {}, ...cluster.members.map((member) => row(cluster, member, used))));
    const box = element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `Records of cluster ${cluster.id}` }, table);
    const left = cluster.size - cluster.members.length;
    if (left > 0) box.append(element("p", { class: "rest" }, `and ${number(left)} more records of this cluster`));
    return box;
  }

  function toggle(head, open) {
    const is = head.getAttribute("aria-expanded") === "true";
    if (open === undefined) open = !is;
    if (open === is) return;
    head.setAttribute("aria-expanded", String(open));
    const item = head.closest("li");
    if (open) {
      const box = members(head.cluster);
      box.id = "members-" + head.cluster.at;
      head.setAttribute("aria-controls", box.id);
      item.append(box);
    } else {
      head.removeAttribute("aria-controls");
      item.querySelector(".scroll").remove();
    }
  }

  function drawCluster(cluster) {
    const names = element("span", { class: "names" });
    names.append(element("b", {}, shown(cut(cluster.members[0][2]))));
    const others = [...new Set(cluster.members.slice(1).map((member) => member[2]))].filter((text) => text !== cluster.members[0][2]);
    const rest = element("span", {});
    for (const text of others.slice(0, OTHER_NAMES)) rest.append(" · ", shown(cut(text)));
    if (others.length > OTHER_NAMES) rest.append(` · and ${number(others.length - OTHER_NAMES)} more`);
    names.append(rest);
    const facts = element("span", { class: "facts" });
    if (cluster.change) facts.append(element("span", { class: "badge" }, cluster.change), " ");
    facts.append(element("b", {}, cluster.exact ? "exact" : probability(cluster.weakest)), ` · ${number(cluster.size)} records · ${cluster.id}`);
    const head = element("button", { type: "button", class: "head", "aria-expanded": "false" }, names, " ", facts);
    head.cluster = cluster;
    return element("li", {}, element("h3", {}, head));
  }

  function draw() {
    const next = found.slice(drawn, drawn + STEP).map(drawCluster);
    list.append(...next);
    drawn += next.length;
    const left = found.length - drawn;
    more.hidden = left === 0;
    more.textContent = `Show ${number(Math.min(STEP, left))} more of ${number(left)}`;
    if (find("all").getAttribute("aria-pressed") === "true") openAll(true);
    return next[0];
  }

  const openAll = (open) => list.querySelectorAll(".head").forEach((head) => toggle(head, open));

  const orders = {
    worst: (a, b) => a.at - b.at,
    best: (a, b) => b.weakest - a.weakest || a.at - b.at,
    largest: (a, b) => b.size - a.size || a.at - b.at,
    name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.at - b.at),
  };
  const sorted = {};

  function filter() {
    const words = fold(query.value).split(/\s+/).filter(Boolean), least = Number(size.value), most = Number(low.value);
    sorted[order.value] ??= [...clusters].sort(orders[order.value]);
    found = sorted[order.value].filter((cluster) =>
      cluster.size >= least && (low.value === ANY || (low.value === NOT_EXACT ? !cluster.exact : cluster.weakest < most))
      && (!source.value || cluster.sources.has(source.value)) && (!change.value || (change.value === ANY ? cluster.change : cluster.change === change.value))
      && words.every((word) => cluster.searched.includes(word)));
    list.replaceChildren();
    drawn = 0;
    draw();
    status.textContent = found.length === clusters.length ? `${number(found.length)} ${found.length === 1 ? "cluster" : "clusters"}`
      : found.length ? `${number(found.length)} of ${number(clusters.length)} clusters` : "No cluster matches; clear the search to see all.";
  }

  function clear() {
    find("controls").reset();
    filter();
  }

  function move(step) {
    const heads = [...list.querySelectorAll(".head")], at = heads.indexOf(document.activeElement?.closest?.("li")?.querySelector(".head"));
    if (at + step >= heads.length && !more.hidden) {
      draw().querySelector(".head").focus();
      return;
    }
    heads[at < 0 ? 0 : Math.max(0, Math.min(heads.length - 1, at + step))]?.focus();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || find("help").open) return;
    const writing = event.target.matches?.("input, select");
    if (event.key === "Escape" && event.target === query) { clear(); event.preventDefault(); return; }
    if (event.target === query && event.key === "ArrowDown") { move(1); event.preventDefault(); return; }
    if (writing) return;
    const inTable = event.target.matches?.(".scroll");
    const actions = {
      ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
      "/": () => { query.focus(); query.select(); }, "?": () => find("help").showModal(),
    };
    if (inTable && event.key.startsWith("Arrow")) return;
    if (actions[event.key]) { actions[event.key](); event.preventDefault(); }
  }

  function option(select, value, text) {
    select.append(element("option", { value }, text));
  }

  function prepare(data) {
    columns = data.columns;
    hidden = new RegExp(`[${data.hidden}]`, "gu");
    const sources = new Map(), changes = new Map();
    clusters = data.clusters.map(([id, weakest, size, kind, members], at) => {
      const own = new Set(members.map((member) => member[0]));
      own.forEach((name) => sources.set(name, (sources.get(name) ?? 0) + 1));
      if (kind) changes.set(kind, (changes.get(kind) ?? 0) + 1);
      const searched = fold([id, ...members.flatMap((member) => [member[0], member[1], member[2], ...member[6]])].join("\n"));
      return { id, exact: weakest === null, weakest: weakest ?? 1, size, change: kind, members, at, sources: own, searched, name: fold(members[0][2]) };
    });
    const plain = (text) => cut(text.replace(hidden, "�"));
    for (const name of [...sources.keys()].sort()) option(source, name, `${plain(name)} (${number(sources.get(name))})`);
    if (changes.size > 1) option(change, ANY, `any change (${number([...changes.values()].reduce((one, other) => one + other))})`);
    for (const [kind, count] of changes) option(change, kind, `${kind} (${number(count)})`);
    find("change-box").hidden = changes.size === 0;
    find("source-box").hidden = sources.size < 2;
    document.querySelectorAll("#changes li").forEach((item) => {
      if (!changes.has(item.dataset.change)) return;
      const button = element("button", { type: "button" }, ...item.childNodes);
      button.addEventListener("click", () => { change.value = item.dataset.change; filter(); find("clusters").focus(); });
      item.append(button);
    });
  }

  function listen() {
    query.addEventListener("input", filter);
    controls.slice(1).forEach((control) => control.addEventListener("change", filter));
    find("controls").addEventListener("submit", (event) => event.preventDefault());
    find("clear").addEventListener("click", clear);
    find("keys").addEventListener("click", () => find("help").showModal());
    find("close").addEventListener("click", () => find("help").close());
    more.addEventListener("click", () => draw().querySelector(".head").focus());
    find("all").addEventListener("click", (event) => {
      const open = event.target.getAttribute("aria-pressed") !== "true";
      event.target.setAttribute("aria-pressed", String(open));
      openAll(open);
    });
    list.addEventListener("click", (event) => {
      const head = event.target.closest(".head");
      if (head) toggle(head);
    });
    document.addEventListener("keydown", onKey);
    addEventListener("beforeprint", () => openAll(true));
  }

  async function begin() {
    status.textContent = "Reading the clusters…";
    try {
      prepare(await unpack(find("data").textContent));
    } catch (error) {
      status.textContent = `The clusters cannot be read (${error.message}). Open this file in a current browser, or use the tables.`;
      return;
    }
    if (!clusters.length) { status.textContent = ""; return; }
    find("controls").hidden = find("legend").hidden = false;
    listen();
    filter();
  }

  /* After the first paint: the totals and charts need no script. */
  requestAnimationFrame(() => setTimeout(begin));
})();
