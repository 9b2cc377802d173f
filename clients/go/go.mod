module cartwheel

go 1.22
