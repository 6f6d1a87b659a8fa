import json
import os
import random

import udax
from tests.images import DATA, M, ImageTest, file, make_image

DEVICE = {"name": "dax0.0", "driver": "fsdev_dax", "ranges": [{"start": 2**40, "end": 2**40 + 64 * M - 1}]}
BACKING = {"path": "regions/0.mem", "owned": True, "offset": 0, "coherent": True}


class Machines(ImageTest):
    def setUp(self):
        super().setUp()
        self.root = os.path.join(self.folder, "root")
        for name in ("regions", "holders"):
            os.makedirs(os.path.join(self.root, name))
        self.memory = os.path.join(self.root, "regions", "0.mem")
        make_image(self.memory, [file("a", 3, [(DATA, 2 * M)])])
        self.document = {
            "schema": 2,
            "regions": [{"start": 2**40, "size": 64 * M, "backing": BACKING, "devices": [DEVICE]}],
            "poison": [],
        }
        self.write(self.document)

    def write(self, document):
        new = os.path.join(self.root, "machine.json.new")
        with open(new, "w", encoding="utf-8") as out:
            out.write(document if isinstance(document, str) else json.dumps(document))
        os.rename(new, os.path.join(self.root, "machine.json"))

    def changed(self, **fields):
        return {**self.document, "regions": [{**self.document["regions"][0], **fields}]}

    def test_names_of_a_volume(self):
        for where in ((), (self.root,), ("dax0.0",)):
            with udax.open_volume(*where) as volume:
                self.assertEqual(volume.listdir(), ["a"])
        with udax.open_volume(self.root, device="dax0.0") as volume:
            self.assertEqual(volume.name, "dax0.0")
        with self.assertCode("ENODEV"):
            udax.open_volume("dax7.0")
        with self.assertCode("EINVAL"):
            udax.open_volume(self.memory, device="dax0.0")

    def test_a_device_in_another_mode_is_refused(self):
        self.write(self.changed(devices=[{**DEVICE, "driver": "device_dax"}]))
        with self.assertCode("ENXIO"):
            udax.open_volume("dax0.0")
        with self.assertCode("ENODEV"):
            udax.open_volume()

    def test_a_device_that_is_disabled_meanwhile_is_enxio(self):
        volume = udax.open_volume()
        opened = volume.open("a")
        self.write(self.changed(devices=[{**DEVICE, "driver": None}]))
        with self.assertCode("ENXIO"):
            opened.read()
        volume.close()

    def test_failed_memory_is_eio_where_it_is(self):
        with udax.open_volume() as volume:
            opened = volume.open("a")
            self.assertEqual(opened.read(), bytes(3))
            self.write({**self.document, "poison": [{"pfn": (2**40 + DATA) // 4096, "pages": 1}]})
            with self.assertCode("EIO"):
                opened.pread(3, 0)
            with self.assertCode("EIO"):
                opened.buffer()
            self.assertEqual(volume.listdir(), ["a"])
            self.write({**self.document, "poison": [{"pfn": (2**40 + 2 * M) // 4096, "pages": 1}]})
            with self.assertCode("EIO"):
                volume.listdir()

    def test_memory_of_several_ranges(self):
        size = 64 * M
        ranges = [(2**40, 2**40 + 12 * M - 1), (2**40 + 20 * M, 2**40 + 20 * M + size - 12 * M - 1)]
        with open(self.memory, "r+b") as memory:
            memory.truncate(80 * M)
        pieces = [{"start": start, "end": end} for start, end in ranges]
        region = self.changed(size=80 * M, devices=[{**DEVICE, "ranges": pieces}])
        self.write(region)
        with udax.open_volume() as volume:
            self.assertEqual(volume.listdir(), ["a"])

    def test_a_machine_that_lies_never_leads_out_of_its_memory(self):
        chance = random.Random(7)
        values = [None, -1, 0, 1, 4096, 2**52, 2**53, 2**70, 1.5, "", "x", "/etc/passwd", [], {}, True, "fsdev_dax"]
        text = json.dumps(self.document)
        codes = set()
        for turn in range(300):
            document = json.loads(text)
            at = document
            while True:
                keys = list(at) if isinstance(at, dict) else list(range(len(at)))
                key = chance.choice(keys)
                if isinstance(at[key], (dict, list)) and at[key] and chance.random() < 0.8:
                    at = at[key]
                    continue
                at[key] = chance.choice(values)
                break
            cut = text[: chance.randrange(len(text))]
            self.write(cut if turn % 10 == 0 else document)
            try:
                udax.open_volume().close()
                codes.add("ok")
            except udax.UdaxError as error:
                codes.add(error.code)
        self.assertLessEqual({"ok", "EIO", "ENODEV"}, codes)
