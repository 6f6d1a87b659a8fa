# What the standard library does with files: temporaries that are renamed, archives that grow, trees that move.
import json
import os
import shutil
import tempfile
import zipfile

with tempfile.NamedTemporaryFile(dir=".", delete=False) as out:
    out.write(b"whole")
os.replace(out.name, "result")
print(open("result").read())
with tempfile.NamedTemporaryFile(dir=".") as out:
    out.write(b"gone at close")
with tempfile.TemporaryDirectory(dir=".") as directory:
    open(os.path.join(directory, "f"), "w").write("x")

for version in range(3):
    with open("settings.tmp", "w") as out:
        json.dump({"version": version}, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace("settings.tmp", "settings.json")
print(json.load(open("settings.json")))

for name in ("one", "two", "three"):
    with zipfile.ZipFile("all.zip", "a") as archive:
        archive.writestr(name, name * 1000)
print(zipfile.ZipFile("all.zip").namelist(), zipfile.ZipFile("all.zip").testzip())

shutil.copytree(os.environ["S"], "tree", symlinks=True)
shutil.move("tree", "moved")
shutil.rmtree("moved/package")
print(sorted(os.listdir("moved")), os.stat("moved/readme").st_nlink)
shutil.rmtree("moved")

with open("grown", "w+b") as out:
    out.write(b"a" * 10)
    out.flush()
    os.fsync(out.fileno())
    out.write(b"b" * 10)
    out.seek(5)
    print(out.read())
    out.truncate(12)
print(os.stat("grown").st_size, sorted(os.listdir(".")))
