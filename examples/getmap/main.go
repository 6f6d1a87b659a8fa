// A file of a volume in Go, without a copy:  udax getmap --host --json dax0.0:/a | go run main.go > copy
package main

import ("encoding/json"; "os"; "syscall"; "unsafe")

func main() {
	var m struct { Size, Align uintptr; Pieces []struct { Path string; Offset, Length uintptr } }
	if err := json.NewDecoder(os.Stdin).Decode(&m); err != nil { panic(err) }
	reserved, err := syscall.Mmap(-1, 0, int(m.Size+2*m.Align), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil { panic(err) }
	lead, at := m.Align-uintptr(unsafe.Pointer(&reserved[0]))%m.Align, uintptr(0)
	for _, piece := range m.Pieces {
		f, err := os.Open(piece.Path)
		if err != nil { panic(err) }
		_, _, e := syscall.Syscall6(syscall.SYS_MMAP, uintptr(unsafe.Pointer(&reserved[lead+at])), piece.Length, syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_FIXED, f.Fd(), piece.Offset)
		if e != 0 { panic(e) }
		at += piece.Length
	}
	if _, err := os.Stdout.Write(reserved[lead : lead+m.Size]); err != nil { panic(err) } // the file is one slice now
}
