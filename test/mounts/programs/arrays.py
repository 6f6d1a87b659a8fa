# Arrays that are saved, saved again over themselves, and made as a mapping of a file.
import numpy

a = numpy.arange(100_000)
numpy.save("a.npy", a)
numpy.save("a.npy", a * 2)
print(numpy.load("a.npy").sum(), numpy.load("a.npy", mmap_mode="r")[7])
numpy.savez("both.npz", a=a, b=a + 1)
numpy.savez_compressed("both.npz", a=a, b=a + 2)
print(numpy.load("both.npz")["b"][0])
mapped = numpy.lib.format.open_memmap("m.npy", mode="w+", dtype="float64", shape=(1000, 10))
mapped[:] = 3
mapped.flush()
del mapped
print(numpy.load("m.npy").sum())
