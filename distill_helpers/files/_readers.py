"""Read a file into columns. What a format leaves open is asked for or refused, never guessed."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill_helpers.files._table import Column, categories, from_objects, from_text, from_words

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".arff": "arff",
    ".svmlight": "svmlight",
    ".svm": "svmlight",
    ".libsvm": "svmlight",
}
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
MOST_CELLS = 200_000_000
"""Of a sparse file made dense: 1.6 GB."""


def read(
    path: Path,
    *,
    file_format: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    index_base: int | None = None,
    target: str | None = None,
) -> list[Column]:
    """Return the columns of a file; `target` is None where there are no labels to look for."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; give the path of your data")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty; export it again")
    form = file_format or FORMATS.get(path.suffix.lower())
    if path.suffix.lower() in PACKED and form in (None, "csv"):
        raise ValueError(f"{path.name} is packed; unpack it, and give the file that was inside")
    if form not in set(FORMATS.values()):
        what = f"ends in {path.suffix!r}" if form is None else f"has format {form!r}"
        raise ValueError(
            f"{path.name} {what}; formats are csv, parquet, npz, arff and svmlight. Unpack it, or "
            "say which, as file_format='csv'"
        )
    if form != "svmlight" and index_base is not None:
        raise ValueError(
            f"index_base is {index_base}, which only SVMLight files have; leave it out for "
            f"{path.name}"
        )
    if form == "csv":
        if delimiter is None:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return _csv(path, encoding, delimiter)
    if form == "arff":
        return _arff(path, encoding)
    if form == "npz":
        return _npz(path, target)
    if form == "svmlight":
        return _svmlight(path, index_base, target)
    return _parquet(path)


def reading_beside(path: Path, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to read a file beside the table: as it is itself, else as the table is.

    Parameters
    ----------
    path : Path
    reading : mapping
        What `read` was told of the table. A name that tells the format goes before
        ``file_format``; in a CSV, what the header holds before ``delimiter``, and UTF-8, where it
        is that, before ``encoding``.
    """
    form = FORMATS.get(path.suffix.lower()) or reading.get("file_format")
    made = {"file_format": form} if form is not None else {}
    if form == "svmlight" and "index_base" in reading:
        made["index_base"] = reading["index_base"]
    if form in ("csv", "arff") and "encoding" in reading:
        made["encoding"] = reading["encoding"]
    if form != "csv" or not path.is_file():
        return made
    content = path.read_bytes()
    try:
        content.decode("utf-8")
        if b"\0" not in content and b"\x1b" not in content:  # as UTF-16 and ISO 2022 have
            made["encoding"] = "utf-8"
    except UnicodeDecodeError:
        pass
    said = reading.get("delimiter") or ("\t" if path.suffix.lower() == ".tsv" else ",")
    header = re.sub(rb'"[^"]*"', b"", content.lstrip().split(b"\n", 1)[0])
    fits = [mark for mark in (said, *",;\t|") if mark.encode() in header]
    return made | {"delimiter": next(iter(fits), said)}


def unique_names(names: Sequence[str], where: str, way_out: str) -> None:
    """Refuse a name that stands twice."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{where} has two columns {twice[0]!r}; names must differ. {way_out}")


def _csv(path: Path, encoding: str, delimiter: str) -> list[Column]:
    content = path.read_bytes()
    if encoding.lower().replace("-", "") == "utf8":
        encoding = "utf-8-sig"
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError(f"{path.name} is UTF-16; pass encoding='utf-16'")
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        line = content[:at].count(b"\n") + 1
        raise ValueError(
            f"{path.name} is not {encoding.removesuffix('-sig')} (byte {content[at : at + 1]!r} in "
            f"line {line}); say what it is, such as encoding='latin-1' or 'cp1252'"
        ) from None
    except LookupError:
        raise ValueError(
            f"encoding is {encoding!r}, which Python does not know; use 'utf-8', 'latin-1' or "
            "'cp1252'"
        ) from None
    if "\0" in text:
        raise ValueError(
            f"{path.name} holds zero bytes, so it is no CSV; say what it is, such as "
            "file_format='parquet', or export it again"
        )
    if len(delimiter) != 1:
        raise ValueError(f"delimiter is {delimiter!r}; it must be one character, such as ';'")
    said = re.match(r"sep=([^\r\n])\r?\n", text)
    if said:  # Excel's first line, which says how the others are divided
        delimiter, text = said[1], "\n" + text[said.end() :]
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if not row:
                continue
            if not rows:
                _one_field_is_one(row, path.name, delimiter)
            if rows and len(row) != len(rows[0]):
                raise ValueError(
                    f"{path.name} has {len(row)} fields in line {reader.line_num} and "
                    f"{len(rows[0])} in its header; every line must have as many. Quote fields "
                    f"that hold {delimiter!r}, or fix the line"
                )
            rows.append([word.strip() for word in row])
    except csv.Error as error:
        raise ValueError(
            f"{path.name} has a quote that does not fit in line {reader.line_num} ({error}); "
            "close it, or double a quote inside a field"
        ) from None
    if not rows:
        raise ValueError(f"{path.name} is empty; export it again")
    header, *body = rows
    if not body:
        raise ValueError(f"{path.name} has a header and no rows; export it again")
    if all(from_words("", [name]).kind == "number" for name in header):
        raise ValueError(
            f"{path.name} begins with numbers ({', '.join(header)[:40]}); its first line must name "
            "the columns. Put a header on top"
        )
    unique_names(header, path.name, "Rename one in the first line")
    return [
        from_words(name, list(words))
        for name, words in zip(header, zip(*body, strict=True), strict=True)
    ]


def _one_field_is_one(header: list[str], name: str, delimiter: str) -> None:
    """Refuse a header whose only field holds what may divide fields."""
    for other in ";\t|,":
        if len(header) == 1 and other != delimiter and other in header[0]:
            raise ValueError(
                f"{name} has one column, {header[0].strip()!r:.60}; its fields seem to be divided "
                f"by {other!r}: pass delimiter={other!r}"
            )


def _arff(path: Path, encoding: str) -> list[Column]:
    """Read by SciPy, or, where it cannot, by liac-arff if that is installed.

    SciPy takes no text, no sparse rows, no quoted nominal values in rows, and none beyond ASCII.
    """
    from scipy.io import arff

    try:
        data, meta = arff.loadarff(path)
    except Exception as error:  # its reader raises StopIteration, IndexError and others
        said = "values beyond ASCII" if isinstance(error, UnicodeError) else _one_line(error)
        return _liac_arff(path, encoding, said or type(error).__name__)
    columns = []
    for name in meta.names():
        kind, values = meta[name][0], data[name]
        if kind == "nominal":  # bytes, and b"?" where missing
            words = [value.decode() for value in values.tolist()]
            made = np.empty(len(words), object)
            made[:] = [None if word == "?" else word for word in words]
            columns.append(Column(name, "category", made))
        elif kind == "date":
            columns.append(Column(name, "date", _objects(values)))
        else:
            columns.append(Column(name, "number", values.astype(np.float64)))
    return _with_rows(columns, path)


def _liac_arff(path: Path, encoding: str, said: str) -> list[Column]:
    try:
        import arff
    except ImportError:
        raise ValueError(
            f"{path.name} is no ARFF that SciPy reads ({said}); pip install liac-arff, which reads "
            "text, quoted and sparse values too, or mend the file, or save it as CSV"
        ) from None
    try:
        read = arff.loads(path.read_text(encoding))
    except Exception as error:
        raise ValueError(
            f"{path.name} is no ARFF ({_one_line(error) or said}); mend that line, or save it as "
            "CSV"
        ) from None
    columns = []
    for j, (name, kind) in enumerate(read["attributes"]):
        values = [row[j] for row in read["data"]]
        if isinstance(kind, list):
            columns.append(_as_category(name, values))
        else:
            columns.append(from_objects(name, values))
    return _with_rows(columns, path)


def _with_rows(columns: list[Column], path: Path) -> list[Column]:
    if not columns or not len(columns[0].values):
        raise ValueError(f"{path.name} has a header and no rows; export it again")
    unique_names([c.name for c in columns], path.name, "Rename one in the header")
    return columns


def _objects(values: Any) -> Any:
    made = np.empty(len(values), object)
    words = np.asarray(values).astype(str).tolist()
    made[:] = [None if word == "NaT" else word for word in words]
    return made


def _npz(path: Path, target: str | None) -> list[Column]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        with np.load(path, allow_pickle=False) as loaded:
            keys = [name.removesuffix(".npy") for name in members]
            odd = [key for key in keys if key.endswith(".npy") or keys.count(key) > 1]
            if odd:
                raise _Refused(
                    f"{path.name} holds {odd[0].removesuffix('.npy')!r} and "
                    f"{odd[0].removesuffix('.npy') + '.npy'!r}, which NumPy takes for each other; "
                    "save it with keys that do not end in .npy"
                )
            arrays = {name.removesuffix(".npy"): loaded[name] for name in members}
    except _Refused as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        if "allow_pickle" in str(error):
            raise ValueError(
                f"{path.name} holds Python objects, which may run code when loaded; save numbers "
                "or text: np.savez(path, x=x.astype(float), y=y.astype(str))"
            ) from None
        raise ValueError(
            f"{path.name} is no NPZ ({_one_line(error)}); write it with np.savez(path, x=x, y=y)"
        ) from None
    if target is None:
        target = next(iter(arrays), "")
    elif target in arrays and arrays[target].ndim != 1:
        raise ValueError(
            f"{path.name} has {arrays[target].shape} in {target!r}; labels are (N,), one a row. "
            "Where each row has one 1, save y.argmax(1)"
        )
    if target not in arrays:
        return [Column(key, "number", np.zeros(0)) for key in arrays]  # to say what is there
    rows = len(arrays[target]) if arrays[target].ndim else 0
    if rows == 0:
        raise ValueError(f"{path.name} has no rows in {target!r}; save one label a row")
    columns = []
    for key, array in arrays.items():
        if array.ndim == 0 or len(array) != rows:
            raise ValueError(
                f"{path.name} has {array.shape} in {key!r} and {rows} rows in {target!r}; every "
                "array must have one row a label. Leave out what is no feature"
            )
        flat = array.reshape(rows, -1)
        names = [key] if array.ndim == 1 else [f"{key}_{j}" for j in range(flat.shape[1])]
        columns += [_numpy_column(name, flat[:, j]) for j, name in enumerate(names)]
    unique_names([c.name for c in columns], path.name, "Rename one of its keys")
    return columns


class _Refused(Exception):
    """A refusal on the way, apart from what a reader raises."""


def _numpy_column(name: str, values: Any) -> Column:
    kind = values.dtype.kind
    if kind in "iu" and len(values) and max(abs(int(values.min())), int(values.max())) > 2**53:
        return from_objects(name, values.tolist())  # such as ids, which float64 does not hold
    if kind in "iuf":
        return Column(name, "number", values.astype(np.float64))
    if kind == "b":
        return Column(name, "bool", values.astype(np.float64))
    if kind == "S":
        values = np.char.decode(values, "utf-8")
    if kind in "US":
        return from_text(name, [str(value) or None for value in values])
    if kind in "mM":
        return Column(name, "date", _objects(values))
    return from_objects(name, values.tolist())


def _svmlight(path: Path, index_base: int | None, target: str | None) -> list[Column]:
    from sklearn.datasets import load_svmlight_file

    if index_base not in (0, 1) or isinstance(index_base, bool):
        raise ValueError(
            f"index_base is {index_base!r}; an SVMLight file does not say whether its features "
            "count from 0 or 1, and a guess may shift every column. Pass index_base=0 or 1"
        )
    try:
        x, y = load_svmlight_file(str(path), zero_based=index_base == 0)
    except Exception as error:
        raise ValueError(
            f"{path.name} is no SVMLight file from {index_base} on ({_one_line(error)}); a line is "
            f"'label index:value ...', without several labels. See index_base"
        ) from None
    rows, width = x.shape
    if rows == 0 or width == 0:
        raise ValueError(f"{path.name} has no rows, or no features; export it again")
    if rows * width > MOST_CELLS:
        raise ValueError(
            f"{path.name} has {rows:,} rows of {width:,} features, too many for a table; choose "
            "features first, such as with sklearn's TruncatedSVD, and save them as NPZ"
        )
    dense = x.toarray()
    features = [Column(str(j + index_base), "number", dense[:, j]) for j in range(width)]
    if target is None:
        return features
    columns = [Column(target, "number", y), *features]
    unique_names([c.name for c in columns], path.name, "Call the target 'label', say")
    return columns


def _parquet(path: Path) -> list[Column]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError(
            f"{path.name} needs pyarrow, which is not installed; pip install pyarrow"
        ) from None
    try:
        table = parquet.ParquetFile(path).read()
    except Exception as error:
        raise ValueError(
            f"{path.name} is no Parquet file that can be read ({_one_line(error)[:120]}); write it "
            "anew"
        ) from None
    unique_names(table.column_names, path.name, "Rename one where it is written")
    meta = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    listed = {c.get("field_name"): c.get("pandas_type") for c in meta.get("columns", [])}
    index = {i for i in meta.get("index_columns", []) if isinstance(i, str)}
    if table.num_rows == 0:
        raise ValueError(f"{path.name} has columns and no rows; export it again")
    columns = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        if name in index and name.startswith("__index_level_"):
            continue  # a data frame's row numbers
        kind = values.type
        # Categories of a data frame may come back as plain numbers; its notes still say so.
        if arrow.types.is_dictionary(kind) or listed.get(name) == "categorical":
            columns.append(_as_category(name, values.to_pylist()))
        elif arrow.types.is_temporal(kind):
            words = values.cast(arrow.string()).to_pylist()
            made = np.empty(len(words), object)
            made[:] = words
            columns.append(Column(name, "date", made))
        elif arrow.types.is_floating(kind):
            numbers = [np.nan if v is None else float(v) for v in values.to_pylist()]
            columns.append(Column(name, "number", np.array(numbers)))
        else:
            columns.append(from_objects(name, values.to_pylist()))
    return columns


def _as_category(name: str, values: Sequence[Any]) -> Column:
    return Column(name, "category", categories(from_objects(name, values)))


def from_frame(frame: Any) -> list[Column]:
    """Return the columns of a pandas data frame."""
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise ValueError(
                f"the data frame has a column {name!r}, whose name is no text; use "
                "frame.columns = frame.columns.map(str)"
            )
    unique_names(names, "the data frame", "Rename one: frame.columns = [...]")
    if len(frame) == 0 or not names:
        raise ValueError(f"the data frame has shape {frame.shape}; it needs rows and columns")
    return [_series(name, frame[name]) for name in names]


def _series(name: str, series: Any) -> Column:
    kind = str(series.dtype)
    values = series.astype(object).where(~series.isna(), None).tolist()
    if kind == "category":
        return _as_category(name, values)
    if kind.startswith(("datetime", "timedelta", "period")):
        made = np.empty(len(values), object)
        made[:] = [None if value is None else str(value) for value in values]
        return Column(name, "date", made)
    return from_objects(name, values)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
