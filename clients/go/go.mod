module vartawatch

go 1.19
