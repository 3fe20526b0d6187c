// What a page cannot do by itself: news while one looks at it, names suggested while one types,
// the reader's time zone. Every page works without it.
"use strict";
(() => {
  const body = document.body;
  const words = body.dataset;
  const news = document.getElementById("news");

  // --- The reader's time zone -------------------------------------------------------------
  const offset = -new Date().getTimezoneOffset();
  document.cookie = `outrider_offset=${offset}; path=/; max-age=31536000; samesite=lax`;
  const language = document.documentElement.lang;
  const long = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const short = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  const pad = (number) => String(number).padStart(2, "0");

  function showTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = time.dateTime;
      time.textContent = ("short" in time.dataset ? short : "day" in time.dataset ? day : long).format(at);
    }
  }

  // Inputs hold UTC on the wire and local time on the screen.
  function localInputs(root) {
    for (const input of root.querySelectorAll("input[data-utc]")) {
      if (input.dataset.utc === "local") continue;
      input.dataset.utc = "local";
      const at = new Date(`${input.value}Z`);
      if (input.value && !Number.isNaN(at.getTime())) input.value = toLocal(at);
      const zone = input.parentElement.querySelector("[data-zone]");
      if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || words.yourTime;
    }
  }
  function toLocal(at) {
    return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}T${pad(at.getHours())}:${pad(at.getMinutes())}`;
  }
  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll('input[data-utc="local"]')) {
      const at = new Date(input.value);
      if (input.value && !Number.isNaN(at.getTime())) {
        event.formData.set(input.name, at.toISOString().slice(0, 16));
      }
    }
  });

  // --- Names of records while one types ----------------------------------------------------
  const found = new Map();
  let asking = 0;
  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!(input instanceof HTMLInputElement) || !input.dataset.suggest) return;
    const hidden = input.parentElement.querySelector(`input[type="hidden"][name="${CSS.escape(input.name)}.id"]`);
    const known = found.get(`${input.dataset.suggest} ${input.value}`);
    if (hidden) hidden.value = known || "";
    if (known || !input.value.trim()) return;
    clearTimeout(asking);
    asking = setTimeout(() => suggest(input), 150);
  });
  async function suggest(input) {
    const query = new URLSearchParams({ q: input.value });
    const answer = await fetch(`/suggest/${input.dataset.suggest}?${query}`).catch(() => null);
    if (!answer || !answer.ok) return;
    const list = document.getElementById(input.getAttribute("list"));
    const options = (await answer.json()).map(({ id, title }) => {
      found.set(`${input.dataset.suggest} ${title}`, id);
      const option = document.createElement("option");
      option.value = title;
      return option;
    });
    list.replaceChildren(...options);
  }

  // --- The search box: a key of its own ------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const find = document.getElementById("find");
    if (!find) return;
    event.preventDefault();
    find.focus();
    find.select();
  });
  // --- Records that may be the same as what is typed ------------------------------------------
  let comparing = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-likely]");
    if (!form) return;
    clearTimeout(comparing);
    comparing = setTimeout(() => compare(form), 400);
  });
  async function compare(form) {
    const box = document.getElementById("likely");
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      // What is long tells nothing, and an address has an end.
      if (name.startsWith("f.") && value && value.length <= 200) query.append(name, value);
    }
    if (form.dataset.except) query.append("except", form.dataset.except);
    const answer = await fetch(`/likely/${form.dataset.likely}?${query}`).catch(() => null);
    if (!answer || !answer.ok) return;
    const list = document.createElement("ul");
    for (const { href, title, why } of await answer.json()) {
      const link = document.createElement("a");
      link.href = href;
      link.target = "_blank";
      link.textContent = title;
      const item = document.createElement("li");
      item.append(link, ` (${why})`);
      list.append(item);
    }
    box.replaceChildren(...(list.children.length ? [box.dataset.words, list] : []));
  }

  // --- Rows of tables -----------------------------------------------------------------------
  function offerRows(root) {
    for (const button of root.querySelectorAll("button[data-add]")) button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-add]");
    if (!button) return;
    const table = document.getElementById(button.dataset.add);
    const rows = table.querySelectorAll("tr.new");
    const last = rows[rows.length - 1];
    const old = last.dataset.row;
    const next = `+${Math.max(...[...rows].map((row) => Number(row.dataset.row.slice(1)))) + 1}`;
    const row = last.cloneNode(true);
    row.dataset.row = next;
    const prefix = `${button.dataset.add}.`;
    for (const element of row.querySelectorAll("*")) {
      for (const name of ["id", "name", "list", "aria-describedby", "for"]) {
        const value = element.getAttribute(name);
        if (value) element.setAttribute(name, value.replaceAll(`${prefix}${old}.`, `${prefix}${next}.`));
      }
      if (element.matches("input:not([list=currencies]), textarea")) element.value = "";
      if (element.matches("select")) element.selectedIndex = 0;
    }
    last.after(row);
    const first = row.querySelector("input, select, textarea");
    if (first) first.focus();
  });

  // --- Forms: what was typed is not left by accident -----------------------------------------
  let isTouched = false;
  document.addEventListener("input", (event) => {
    if (event.target.closest("form[data-guard]")) isTouched = true;
  });
  document.addEventListener("submit", () => { isTouched = false; });
  window.addEventListener("beforeunload", (event) => {
    if (isTouched) event.preventDefault();
  });
  const problems = document.getElementById("problems");
  if (problems) problems.focus();

  // --- News ---------------------------------------------------------------------------------
  function say(text, action) {
    const box = document.createElement("div");
    box.append(text);
    if (action) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words.compare;
      button.addEventListener("click", action);
      box.append(button);
    } else {
      setTimeout(() => box.remove(), 8000);
    }
    news.replaceChildren(box);
  }

  let position = Number(body.dataset.position || "-1");
  let isAsking = false;
  let wanted = position;
  let shown = content(document);

  function isTyping() {
    const main = document.getElementById("main");
    return isTouched || (main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select"));
  }

  async function refresh() {
    if (isAsking || wanted <= position) return;
    isAsking = true;
    try {
      const address = new URL(location.href);
      address.searchParams.delete("done");
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const is = content(page);
      if (!isTyping()) replace(page);
      else if (is !== shown) say(words.news, compare);
      shown = is;
      position = Math.max(wanted, Number(page.body.dataset.position || "-1"));
    } catch {
      // The next news tries again.
    } finally {
      isAsking = false;
    }
    if (wanted > position) refresh();
  }

  // What the page says, without what differs each time that it is asked for.
  function content(page) {
    const main = page.getElementById("main").cloneNode(true);
    for (const input of main.querySelectorAll('input[name="_csrf"], input[name="seen"]')) input.remove();
    return main.innerHTML;
  }

  // What is typed stays: the new values are shown beside it. Saving does not replace them.
  function compare() {
    const form = document.querySelector("form[data-guard]");
    if (form) window.open(form.getAttribute("action").replace(/\/edit$/, ""), "_blank", "noopener");
    else location.reload();
  }

  function replace(page) {
    const before = document.getElementById("main");
    const after = page.getElementById("main");
    const old = new Map();
    for (const element of before.querySelectorAll("[data-live]")) {
      old.set(element.dataset.live, element.dataset.was || element.textContent);
    }
    const changed = [];
    for (const element of after.querySelectorAll("[data-live]")) {
      element.dataset.was = element.textContent;
      if (old.get(element.dataset.live) !== element.dataset.was) changed.push(element);
    }
    if (after.innerHTML === before.innerHTML) return;
    const focus = document.activeElement && document.activeElement.getAttribute("href");
    const top = window.scrollY;
    prepare(after);
    before.replaceWith(after);
    reachable(after);
    window.scrollTo(0, top);
    if (focus) {
      const again = after.querySelector(`a[href="${CSS.escape(focus)}"]`);
      if (again) again.focus({ preventScroll: true });
    }
    for (const element of changed) element.classList.add("changed");
    const labels = [...new Set(changed.map((element) => element.dataset.label || element.querySelector("a, th")?.textContent || "").filter(Boolean))];
    if (changed.length) say(`${words.changed} ${labels.slice(0, 5).join(", ") || words.news}`);
  }

  function prepare(root) {
    for (const element of root.querySelectorAll("[data-live]")) {
      if (!element.dataset.was) element.dataset.was = element.textContent;
    }
    showTimes(root);
    localInputs(root);
    offerRows(root);
    reachable(root);
  }

  // What scrolls sideways must scroll by keyboard too.
  function reachable(root) {
    for (const box of root.querySelectorAll(".scroll")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  }
  window.addEventListener("resize", () => reachable(document));

  function follow() {
    let away = 0;
    let isAway = false;
    const source = new EventSource("/live");
    const take = (event) => {
      const now = Number(event.data);
      if (Number.isFinite(now)) wanted = Math.max(wanted, now);
      refresh();
    };
    source.addEventListener("message", take);
    source.addEventListener("position", take);
    source.addEventListener("open", () => {
      clearTimeout(away);
      away = 0;
      if (isAway) say(words.back);
      isAway = false;
    });
    source.addEventListener("error", () => {
      // Channels end now and then and are opened again at once; that is no news.
      if (!away) away = setTimeout(() => { isAway = true; say(words.away); }, 8000);
      // A browser gives up after an answer that is an error, such as after signing out.
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(away);
        setTimeout(follow, 10000);
      }
    });
    window.addEventListener("pagehide", () => source.close(), { once: true });
  }

  prepare(document);
  if (position >= 0) {
    follow();
    window.addEventListener("pageshow", (event) => { if (event.persisted) follow(); });
    document.addEventListener("visibilitychange", refresh);
  }
})();
