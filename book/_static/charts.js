// Draws each live chart where its picture stands. If anything fails, the picture stays.
(function () {
  "use strict";

  // The picture that a chart replaces is the last one before its specification.
  function place(script) {
    var before = Array.prototype.filter.call(
      document.querySelectorAll(".bd-article .cell_output img"),
      function (img) {
        return script.compareDocumentPosition(img) & Node.DOCUMENT_POSITION_PRECEDING;
      }
    );
    return before[before.length - 1] || null;
  }

  function draw(script) {
    var spec = JSON.parse(script.textContent);
    var picture = place(script);
    var chart = document.createElement("div");
    chart.className = "live-chart";
    (picture || script).insertAdjacentElement("beforebegin", chart);
    // A chart of one view takes the width it is given, so that its text keeps its size on a phone.
    var room = chart.clientWidth;
    var width = spec.width || (spec.config && spec.config.view && spec.config.view.continuousWidth);
    if ((spec.mark || spec.layer) && typeof width === "number" && width + 60 > room) {
      spec.width = "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
    }
    window
      .vegaEmbed(chart, spec, { renderer: "svg", actions: false, tooltip: true })
      .then(function () {
        chart.dataset.drawn = "true";
        if (picture) {
          picture.hidden = true;
          var svg = chart.querySelector("svg");
          svg.setAttribute("role", "img");
          svg.setAttribute("aria-label", picture.alt);
        }
      })
      .catch(function (error) {
        chart.remove();
        console.error("a live chart could not be drawn: " + error);
      });
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("script.chart-spec").forEach(draw);
  });
})();
