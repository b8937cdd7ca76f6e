// Of the table of claims, shows those that hold the words and have the verdict asked for.
(function () {
  "use strict";
  var form = document.getElementById("find-claims");
  var rows = Array.from(document.querySelectorAll("#what-was-found tbody tr"));

  function plain(text) {
    return text.toLowerCase().replace(/\s+/g, " ").trim();
  }

  function verdict(row) {
    return plain(row.cells[0].textContent);
  }

  function show() {
    var asked = plain(form.elements.words.value).split(" ");
    var chosen = form.elements.verdict.value;
    rows.forEach(function (row) {
      var text = plain(row.textContent);
      row.hidden = (chosen && verdict(row) !== chosen) || !asked.every(function (word) {
        return text.includes(word);
      });
    });
    var left = rows.filter(function (row) { return !row.hidden; }).length;
    form.querySelector("output").textContent = left + " of " + rows.length + " claims";
  }

  Array.from(new Set(rows.map(verdict))).sort().forEach(function (word) {
    form.elements.verdict.add(new Option(word));
  });
  form.addEventListener("input", show);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  show();
})();
