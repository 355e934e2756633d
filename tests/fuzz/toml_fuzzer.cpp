// Whatever the text, parse_toml gives settings or a ConfigError.
#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "io/toml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fleet::as_text(data, size);
  try {
    (void)fleet::to_text(fleet::parse_toml(text, "fuzz.toml"));
  } catch (const fleet::ConfigError&) {
  }
  try {
    (void)fleet::parse_override(text);
  } catch (const fleet::ConfigError&) {
  }
  return 0;
}
