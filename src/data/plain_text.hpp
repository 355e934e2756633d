// Text files brought to one form: bytes to lines of printable ASCII.
//
// Hides gzip, byte order marks, line ends and UTF-8. Called by the reader of plays.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fleet {

/// Stands for a character that has no like in ASCII; LEAF's vocabulary ends with it, and no play uses it.
inline constexpr char kUnknownCharacter = '}';

/// The bytes of a file, decompressed if it is compressed. Error if it cannot be read.
[[nodiscard]] std::string read_file(const std::filesystem::path& path);

/// The text in printable ASCII and '\n': quotes, dashes and ligatures spelt out, accents dropped, tabs as one space,
/// any other character as kUnknownCharacter. Bytes that are not UTF-8 are taken for Latin-1. Error naming `name` and
/// the place if the text is empty or holds a control character that no text has.
[[nodiscard]] std::string to_ascii(std::string_view text, std::string_view name);

/// The lines of a text, without their ends and without spaces at their ends.
[[nodiscard]] std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace fleet
