// What sweeps may be called, and where they may lie. Names become names of directories, files and jobs.
#pragma once

#include <string>
#include <string_view>

namespace fleet {

/// Why `name` is none, or nothing: a name has letters, digits and "_-.+=", begins with a letter or a digit, and is not
/// longer than file names are. Letters are those of any language, in UTF-8.
[[nodiscard]] std::string complaint_about_name(std::string_view name);
/// The name of a sweep that has none, from its file's: what no name has becomes "_".
[[nodiscard]] std::string name_from(std::string_view stem);

/// Why no sweep can lie in this directory, or nothing.
[[nodiscard]] std::string complaint_about_directory(std::string_view path);

}  // namespace fleet
