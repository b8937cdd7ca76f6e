"""The student in the page, driven in Chromium, against PyTorch with the same weights."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import torch
from test_pages import CONTENT, PHONE, WIDE, axe, open_page, soup

from distill_helpers.figures import live_student
from distill_helpers.networks import mlp

PAGES = [page for page in CONTENT if soup(page).select(".live-student")]
SIZES = (20, 64, 32, 2)
STEPS = 11


def fragment(sizes=SIZES, count=25):
    torch.manual_seed(0)
    model = mlp(sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2  # logits of a few units
    layers = [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in model
        if isinstance(layer, torch.nn.Linear)
    ]
    rng = np.random.default_rng(0)
    paths = rng.standard_normal((count, 2, sizes[0])).astype(np.float32)
    stored = rng.dirichlet(np.ones(sizes[-1]), (count, STEPS))
    classes = [f"$data <{c}>" for c in range(sizes[-1])]
    return live_student(
        layers, paths, stored, classes=classes, names=[f"pair {k}" for k in range(count)]
    )


def read_back(html):
    """Return the network, the ends of the paths and the stored answers that a page holds."""
    data = json.loads(re.search(r"data = (\{.*?\});", html).group(1))

    def numbers(name):
        return np.frombuffer(base64.b64decode(data[name]), dtype="<f4")

    model, at = mlp(data["sizes"]).eval(), 0
    weights = torch.tensor(numbers("weights"))
    with torch.no_grad():
        for parameter in model.parameters():
            size = parameter.numel()
            parameter.copy_(weights[at : at + size].view_as(parameter))
            at += size
    assert at == len(weights)
    paths = numbers("paths").reshape(-1, 2, data["sizes"][0]).astype(float)
    stored = numbers("stored").reshape(len(paths), data["steps"], -1)
    return model, paths, stored


def drive(tab, html):
    """Move picker and slider to 50 states; compare each with PyTorch."""
    model, paths, stored = read_back(html)
    box = tab.locator(".live-student")
    slider, last = box.locator("input[type=range]"), stored.shape[1] - 1
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(50):
        path, step = int(rng.integers(len(paths))), int(rng.integers(last + 1))
        box.locator("select").select_option(index=path)
        assert slider.input_value() == "0"
        slider.fill(str(step))
        start, end = paths[path]
        x = torch.tensor(start + step / last * (end - start)).float().unsqueeze(0)
        with torch.no_grad():
            z = model(x)[0]
        here = torch.tensor(json.loads(box.get_attribute("data-logits")))
        assert (here - z).abs().max() <= 1e-5 * max(1.0, float(z.abs().max()))
        assert (here.softmax(0) - z.softmax(0)).abs().max() <= 1e-5
        columns = [
            [float(text) for text in box.locator(f"tbody td:nth-child({k}) .p").all_inner_texts()]
            for k in (2, 3)
        ]
        assert columns[0] == pytest.approx(z.softmax(0).tolist(), abs=6e-5)
        assert columns[1] == pytest.approx(stored[path, step].tolist(), abs=6e-5)
        same = bool(z.argmax() == stored[path, step].argmax())
        assert ("Both say" in box.locator("output").inner_text()) is same
        seen.add(same)
    return seen


@pytest.mark.parametrize("sizes", [SIZES, (64, 16, 10), (3, 2)])
def test_the_student_in_the_page_is_the_student_in_pytorch(browser, tmp_path, sizes):
    html = fragment(sizes)
    page = tmp_path / "page.html"
    page.write_text(
        f"<!doctype html><html lang='en'><title>t</title><main><h1>t</h1>{html}</main>",
        encoding="utf-8",
    )
    tab, complaints = open_page(browser, page)
    assert drive(tab, html) == {True, False}
    assert not complaints, "\n".join(complaints)
    assert not tab.locator(".still").is_visible()
    tab.locator("button").click()
    told = tab.locator(".time").inner_text()
    assert re.fullmatch(r"\d+\.\d microseconds an answer", told)
    tab.set_viewport_size(PHONE)
    assert tab.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    tab.evaluate("""() => document.querySelectorAll(".live-student .bar").forEach(
        (bar) => bar.style.setProperty("--share", 1))""")
    lengths = set()
    for cell in tab.locator(".live-student tbody td").all():  # a full bar, and its number beside it
        room, number = cell.bounding_box(), cell.locator(".p").bounding_box()
        assert number["x"] + number["width"] <= room["x"] + room["width"]
        lengths.add(round(cell.locator(".bar").bounding_box()["width"]))
    assert len(lengths) == 1 and min(lengths) > 20  # equal shares, equal bars
    assert axe(tab, colours=True) == axe(tab, colours=False) == []
    tab.context.close()


def test_without_scripts_the_first_answers_stand(browser, tmp_path):
    html = fragment()
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><html lang='en'><title>t</title>{html}", encoding="utf-8")
    tab, _ = open_page(browser, page, java_script_enabled=False)
    model, paths, stored = read_back(html)
    with torch.no_grad():
        expected = model(torch.tensor(paths[0, 0]).float().unsqueeze(0))[0].softmax(0)
    for column, values in ((2, expected.tolist()), (3, stored[0, 0].tolist())):
        texts = tab.locator(f"tbody td:nth-child({column}) .p").all_inner_texts()
        assert [float(text) for text in texts] == pytest.approx(values, abs=6e-5)
    assert tab.locator(".still").is_visible()
    assert not tab.locator("select").is_visible() and not tab.locator("button").is_visible()
    tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_the_books_own_student(browser, page):
    for size in (WIDE, PHONE):
        tab, complaints = open_page(browser, page)
        tab.set_viewport_size(size)
        (script,) = soup(page).select(".live-student script")
        drive(tab, script.string)
        assert not complaints
        tab.context.close()
