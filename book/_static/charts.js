// Draws each live chart where its picture stands, once it comes near: the chart library is 900 kB.
// If anything fails, the picture stays.
(function () {
  "use strict";

  var library = document.currentScript.src.replace("charts.js", "vega.js");
  var loading = {};

  function load(source) {
    loading[source] =
      loading[source] ||
      new Promise(function (done, failed) {
        var script = document.createElement("script");
        script.src = source;
        script.onload = done;
        script.onerror = failed;
        document.head.appendChild(script);
      });
    return loading[source];
  }

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
    var source = script.dataset.source;
    Promise.all([load(library), load(source)]).then(function () {
      show(script, window.charts[source.split("/").pop().split(".")[0]]);
    });
  }

  function show(script, spec) {
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
    document.querySelectorAll("script.chart-spec").forEach(function (script) {
      var near = new IntersectionObserver(
        function (seen) {
          if (seen[0].isIntersecting) {
            near.disconnect();
            draw(script);
          }
        },
        { rootMargin: "800px" }
      );
      near.observe(place(script) || script.parentElement);
    });
  });
})();
