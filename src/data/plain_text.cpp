#include "data/plain_text.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "data/packed_file.hpp"

namespace fleet {
namespace {

constexpr std::size_t kMostText = std::size_t{1} << 30U;  // 200 times all that Shakespeare wrote

/// U+00C0 to U+00FF without their accents; '.' where that says nothing.
constexpr std::string_view kWithoutAccent =
    "AAAAAA.CEEEEIIII"
    ".NOOOOO.OUUUUY.."
    "aaaaaa.ceeeeiiii"
    ".nooooo.ouuuuy.y";
constexpr std::uint32_t kFirstAccented = 0xC0;

struct Spelling {
  std::uint32_t character;
  std::string_view ascii;
};
constexpr std::array kSpellings = {
    Spelling{'\t', " "},    Spelling{0x00A0, " "},  Spelling{0x00C6, "AE"},  Spelling{0x00DF, "ss"},
    Spelling{0x00E6, "ae"}, Spelling{0x0152, "OE"}, Spelling{0x0153, "oe"},  Spelling{0x2010, "-"},
    Spelling{0x2011, "-"},  Spelling{0x2013, "-"},  Spelling{0x2014, "--"},  Spelling{0x2015, "--"},
    Spelling{0x2018, "'"},  Spelling{0x2019, "'"},  Spelling{0x201A, "'"},   Spelling{0x201C, "\""},
    Spelling{0x201D, "\""}, Spelling{0x201E, "\""}, Spelling{0x2026, "..."}, Spelling{0x2032, "'"},
    Spelling{0xFEFF, ""},
};

void spell(std::uint32_t character, std::string& into) {
  for (const auto& [known, ascii] : kSpellings) {
    if (known == character) {
      into += ascii;
      return;
    }
  }
  const std::uint32_t accented = character - kFirstAccented;  // wraps around below it
  const char plain = accented < kWithoutAccent.size() ? kWithoutAccent[accented] : '.';
  into += plain == '.' ? kUnknownCharacter : plain;
}

struct Decoded {
  std::uint32_t character = 0;
  std::size_t bytes = 1;
};

/// The character that begins the text, which is not ASCII: by UTF-8 if it is well-formed, or else by Latin-1.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t first = byte(0);
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {first, 1};
  std::uint32_t character = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {first, 1};
    character = character << 6U | (byte(i) & 0x3FU);
  }
  return {character, length};
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code absent;
  require(!std::filesystem::is_directory(path, absent), path.string(), ": is a directory, expected a text file");
  PackedFile file(path);
  std::string text;
  std::array<std::byte, 1U << 16U> chunk{};
  while (const std::size_t got = file.read(chunk)) {
    text.append(reinterpret_cast<const char*>(chunk.data()), got);  // NOLINT
    require(text.size() <= kMostText, path.string(), ": holds more than ", kMostText, " bytes, too many for a text");
  }
  return text;
}

std::string to_ascii(std::string_view text, std::string_view name) {
  require(text.find_first_not_of(" \t\r\n") != std::string_view::npos, name, ": the text is empty");
  std::string ascii;
  ascii.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool control = (byte < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || byte == 0x7F;
    require(!control, name, ": not a text: byte ", int{byte}, " at offset ", i);
    if (byte >= 0x80) {
      const Decoded decoded = decode(text.substr(i));
      spell(decoded.character, ascii);
      i += decoded.bytes;
      continue;
    }
    if (c == '\t') spell('\t', ascii);
    if (byte >= 0x20 || c == '\n') ascii += c;
    ++i;
  }
  return ascii;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = line.substr(0, line.find_last_not_of(' ') + 1);  // npos + 1 = 0: nothing but spaces
    lines.push_back(line);
  }
  return lines;
}

}  // namespace fleet
