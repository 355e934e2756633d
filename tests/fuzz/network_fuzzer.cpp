// Whatever the text, parse_network gives a network whose symmetry can act on weights, and whose JSON reads back as the
// same; or an Error.
#include "base/error.hpp"
#include "fuzz_file.hpp"
#include "io/network_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLargest = std::size_t{1} << 16U;  // a short text may announce many weights
  try {
    const fleet::NetworkFile network = fleet::parse_network(fleet::as_text(data, size), "input");
    const std::string text = fleet::network_json(network);
    if (fleet::network_json(fleet::parse_network(text, "input")) != text) __builtin_trap();
    if (network.symmetry.layout()->size() > kLargest || network.symmetry.groups().size() > kLargest) return 0;
    fleet::RandomStream stream(1, fleet::Purpose::kTest);
    const fleet::ParamVector weights(network.symmetry.layout());
    const fleet::GroupElement element = network.symmetry.random(stream);
    (void)network.symmetry.compose(element, network.symmetry.inverse(element));
    (void)network.symmetry.apply(element, weights);
  } catch (const fleet::Error&) {
  }
  return 0;
}
