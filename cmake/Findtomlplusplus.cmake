include(HeaderLibrary)
fleet_find_header_library(tomlplusplus tomlplusplus::tomlplusplus toml++/toml.h)
