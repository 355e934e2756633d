#include "sweep/sweep_name.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::size_t kLongest = 150;  // bytes; file systems take 255, and names get endings with the host in them

bool is_plain(char c, bool first) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || (!first && std::string_view("_-.+=").find(c) != std::string_view::npos);
}

/// Bytes of the character that begins the text, if it is beyond ASCII, no control character, no space, and well-formed
/// UTF-8; else 0.
std::size_t foreign_letter(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(0);
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  std::uint32_t character = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
    character = character << 6U | (byte(i) & 0x3FU);
  }
  const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  const bool too_long = (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
  const bool blank =
      character < 0xC0 || (character >= 0x2000 && character <= 0x206F) || character == 0x3000 || character == 0xFEFF;
  return surrogate || too_long || blank || character > 0x10FFFF ? 0 : length;
}

/// Bytes of the first character of the text if a name can have it at its beginning, or further on; else 0.
std::size_t letter(std::string_view text, bool first) {
  return is_plain(text.front(), first) ? 1 : foreign_letter(text);
}

}  // namespace

std::string complaint_about_name(std::string_view name) {
  const char* const kRule =
      "a name has letters, digits and any of _ - . + =, begins with a letter or a digit, and names a directory; set "
      "name = \"...\"";
  if (name.empty()) return cat("this is empty: ", kRule);
  if (name.size() > kLongest) return cat("this has ", name.size(), " bytes, a name at most ", kLongest);
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t bytes = letter(name.substr(at), at == 0);
    if (bytes == 0) return kRule;
    at += bytes;
  }
  return "";
}

std::string name_from(std::string_view stem) {
  std::string name;
  bool gap = false;
  for (std::size_t at = 0; at < stem.size();) {
    const std::size_t bytes = letter(stem.substr(at), name.empty());
    if (bytes > 0 && name.size() + bytes + 1 > kLongest) break;
    if (bytes > 0) name += (gap && !name.empty() ? "_" : "") + std::string(stem.substr(at, bytes));
    gap = bytes == 0;
    at += std::max<std::size_t>(bytes, 1);
  }
  return name.empty() ? "sweep" : name;
}

std::string complaint_about_directory(std::string_view path) {
  if (path.empty()) return "a sweep needs a directory of its own, say \"results/mine\"";
  if (path.find_first_not_of('/') == std::string_view::npos) return "a sweep cannot lie in the root directory";
  const std::string last = std::filesystem::path(path).lexically_normal().filename().string();
  if (last.ends_with(".h5")) {
    return cat("expected a directory, beside which its results are joined in ", last, ": leave out .h5");
  }
  if (last.size() > kLongest) return cat("its last part has ", last.size(), " bytes, and may have ", kLongest);
  const bool control = std::any_of(path.begin(), path.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == '\x7f'; });
  return control ? "no directory has a control character, such as the end of a line, in its name" : "";
}

}  // namespace fleet
