"""Multiplies rows in the database of `hookline dev`, while that is stopped."""

import pathlib
import sqlite3

TABLE = '"hookline"'
DUE = '"hookline::gsi::due"'
STANDING = '"hookline::gsi::standing"'


class Filler:
    def __init__(self, folder: pathlib.Path):
        self.database = sqlite3.connect(folder / "table.sqlite")
        self.database.execute("PRAGMA synchronous=OFF")
        self.database.execute("PRAGMA cache_size=-200000")

    def close(self):
        self.database.commit()
        self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.database.close()

    def count(self) -> int:
        return self.database.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0]

    def event_key(self, order: str) -> tuple[str, str]:
        """Time and digest of an order's newest event."""
        query = f"SELECT max(sk) FROM {TABLE} WHERE pk LIKE '%#{order}' AND sk LIKE '%EVENT#%'"
        ((key,),) = self.database.execute(query).fetchall()
        _, at, digest = key.split("#")
        return at, digest

    def subscription(self, order: str) -> str:
        """The id of the one that was made for an order."""
        query = f"SELECT sk FROM {TABLE} WHERE sk LIKE 'S:SUBSCRIPTION#%' AND instr(item_json, '{order}')"
        ((key,),) = self.database.execute(query).fetchall()
        return key.split("#")[1]

    def copy(self, marks: dict[str, str], count: int, table: str = TABLE) -> int:
        """Copies each row in which one of `marks` stands, `count` times. Each mark becomes the text that the SQL
        expression beside it gives for `n`, from 1. Answers how many rows were made."""
        columns = [row[1] for row in self.database.execute(f"PRAGMA table_info({table})")]
        keys = [name for name in columns if name.endswith(("pk", "sk"))]
        stands = " OR ".join(f"instr({name}, '{mark}')" for mark in marks for name in keys)
        templates = self.database.execute(f"SELECT * FROM {table} WHERE {stands}").fetchall()

        def value(name: str) -> str:
            text = f":{name}"
            for mark, expression in marks.items() if name in [*keys, "item_json"] else ():
                text = f"replace({text}, '{mark}', {expression})"
            return text

        for template in templates:
            self.database.execute(
                f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) "
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(map(value, columns))} FROM numbers",
                dict(zip(columns, template)),
            )
        return count * len(templates)
