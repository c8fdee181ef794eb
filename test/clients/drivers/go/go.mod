module driver

go 1.19

require vartawatch v0.1.0

replace vartawatch => ../../../../clients/go
