"""work.py write|read FILE ROWS: fills a database, or reads one, and prints what it saw as JSON."""
import json
import sqlite3
import sys
import time

action, file, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = time.perf_counter()
database = sqlite3.connect(file)
if action == "write":
    database.execute("create table t(k integer primary key, v integer, name text)")
    with database:
        database.executemany("insert into t values (?, ?, ?)", ((k, k * 3, f"name {k}") for k in range(rows)))
    with database:
        database.execute("create index by_name on t(name)")
        database.execute("update t set v = v + 1 where k % 2 = 0")
    # What is rolled back leaves nothing.
    database.execute("begin")
    database.execute("delete from t")
    database.rollback()
count, total = database.execute("select count(*), sum(v) from t").fetchone()
(name,) = database.execute("select k from t where name = ?", (f"name {rows - 1}",)).fetchone()
assert name == rows - 1
(check,) = database.execute("pragma integrity_check").fetchone()
database.close()
print(json.dumps({"rows": count, "sum": total, "check": check, "ms": (time.perf_counter() - start) * 1000}))
