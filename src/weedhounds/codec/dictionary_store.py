"""Where dictionaries are found: those shipped with the package, and a node's own in a folder.

A store answers two questions: which dictionary bytes were written with (by id), and with which one
to write a kind of record (the newest of that kind and format).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from weedhounds.codec.base import Format
from weedhounds.codec.dictionary import Dictionary, dump_dictionary, load_dictionary
from weedhounds.errors import BadInput, CodecError, UnknownVersion

SUFFIX = ".whd"
MAX_DICTIONARIES = 256
"""Dictionaries that a store holds; a folder with more is refused."""


class DictionaryStore(Protocol):
    """What finds dictionaries."""

    def get(self, dictionary_id: bytes) -> Dictionary:
        """Return the dictionary of an id.

        Raises:
            UnknownVersion: it is not here; says which.
        """
        ...

    def newest(self, kind: str, format: Format) -> Dictionary | None:
        """Return the dictionary to write a kind of record with, or ``None`` where there is none."""
        ...


class MemoryDictionaries:
    """A store in memory, over another that it asks for what it has not.

    Args:
        dictionaries: in order of age; of one kind and format the last is the newest.
        below: asked for all else.

    Bounds: ``MAX_DICTIONARIES``, about 1.5 MB each.
    """

    def __init__(self, dictionaries: Iterable[Dictionary] = (), below: DictionaryStore | None = None) -> None:
        self._by_id: dict[bytes, Dictionary] = {}
        self._newest: dict[tuple[str, Format], Dictionary] = {}
        self._below = below
        for dictionary in dictionaries:
            self.add(dictionary)

    def add(self, dictionary: Dictionary) -> None:
        """Hold a dictionary, from now on the newest of its kind and format.

        Raises:
            BadInput: there are too many, or another one has the same id.
        """
        self._check(dictionary)
        self._by_id[dictionary.id] = dictionary
        self._newest[dictionary.kind, dictionary.format] = dictionary

    def _check(self, dictionary: Dictionary) -> None:
        held = self._by_id.get(dictionary.id)
        if held is not None and held.data != dictionary.data:
            raise BadInput(f"another dictionary has the id {dictionary.id.hex()}")
        if held is None and len(self._by_id) >= MAX_DICTIONARIES:
            raise BadInput(f"there are {MAX_DICTIONARIES} dictionaries already")

    def get(self, dictionary_id: bytes) -> Dictionary:
        """Return the dictionary of an id; see :class:`DictionaryStore`."""
        found = self._by_id.get(dictionary_id)
        if found is not None:
            return found
        if self._below is None:
            raise UnknownVersion(f"dictionary {dictionary_id.hex()} is not known here")
        return self._below.get(dictionary_id)

    def newest(self, kind: str, format: Format) -> Dictionary | None:
        """Return the dictionary to write with; see :class:`DictionaryStore`."""
        found = self._newest.get((kind, format))
        return found if found is not None or self._below is None else self._below.newest(kind, format)

    def __iter__(self) -> Iterator[Dictionary]:
        return iter(self._by_id.values())


class FolderDictionaries(MemoryDictionaries):
    """A node's own dictionaries: one file each in a folder, read once; the shipped ones lie below.

    A file is written under another name, synced and renamed: a crash leaves it whole or absent.
    Files are never changed or removed here, for stored entries may need them. One that cannot be
    read is left alone and told in :attr:`unreadable`.
    """

    def __init__(self, folder: Path, below: DictionaryStore | None = None) -> None:
        super().__init__(below=SHIPPED if below is None else below)
        self.folder = folder
        self.unreadable: dict[str, str] = {}
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
            try:
                super().add(load_dictionary(path.read_bytes()))
            except (CodecError, OSError) as error:
                self.unreadable[path.name] = str(error)

    def add(self, dictionary: Dictionary) -> None:
        """Write a dictionary into the folder and hold it: only what is safe there is written with.

        Raises:
            BadInput: as :meth:`MemoryDictionaries.add`, or the folder cannot be written.
        """
        self._check(dictionary)
        path = self.folder / file_name(dictionary)
        part = path.with_suffix(".part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(dump_dictionary(dictionary))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise BadInput(f"cannot write {path}: {error.strerror}") from error
        super().add(dictionary)


def file_name(dictionary: Dictionary) -> str:
    """Return the name of a dictionary's file."""
    return f"{dictionary.kind}-{dictionary.format}-{dictionary.id.hex()}{SUFFIX}"


class ShippedDictionaries(MemoryDictionaries):
    """The dictionaries of the package, of all its versions: trained on sandbox data only; read on first use.

    Files are named so that newer ones sort after older ones of their kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_loaded = False

    def get(self, dictionary_id: bytes) -> Dictionary:
        """Return the dictionary of an id; see :class:`DictionaryStore`."""
        found = self._by_id.get(dictionary_id)
        if found is not None:
            return found
        self._load()
        return super().get(dictionary_id)

    def newest(self, kind: str, format: Format) -> Dictionary | None:
        """Return the dictionary to write with; see :class:`DictionaryStore`."""
        return self._newest.get((kind, format)) if self._is_loaded else self._loaded().newest(kind, format)

    def __iter__(self) -> Iterator[Dictionary]:
        return iter(tuple(self._loaded()._by_id.values()))

    def _loaded(self) -> ShippedDictionaries:
        self._load()
        return self

    def _load(self) -> None:
        """Read the files; twice at worst, where two threads come first at once."""
        if self._is_loaded:
            return
        folder = files(__package__) / "dictionaries"
        for name in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(SUFFIX)):
            self.add(load_dictionary((folder / name).read_bytes()))
        self._is_loaded = True


SHIPPED = ShippedDictionaries()
