include(HeaderLibrary)
fleet_find_header_library(nlohmann_json nlohmann_json::nlohmann_json nlohmann/json.hpp)
