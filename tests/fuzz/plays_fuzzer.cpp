// Whatever the bytes, plain or compressed, they are plays whose roles cover the text that is made of them, or an Error.
#include "base/error.hpp"
#include "data/plays.hpp"
#include "data/role_text.hpp"
#include "fuzz_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fleet::FuzzFile file(fleet::as_text(data, size));
  try {
    const fleet::PlayCollection plays = fleet::read_plays(file.path());
    const fleet::RoleText text = fleet::gather_roles(plays, size % 2 == 0);
    std::int64_t end = 0;
    for (const fleet::TextRole& role : text.roles) {
      if (role.text.begin != end || role.text.end <= end || role.lines < 1) __builtin_trap();
      end = role.text.end;
    }
    if (end != static_cast<std::int64_t>(text.text.size())) __builtin_trap();
  } catch (const fleet::Error&) {
  }
  return 0;
}
