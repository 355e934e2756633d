// The numbers of recordings, once per node.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "comm/shared_array.hpp"

namespace fleet::simulation {

/// Two arrays: of what was observed, and of what was done.
class SharedNumbers {
 public:
  using Arrays = std::array<std::vector<float>, 2>;
  /// Collective over `node`, on whose root alone `read` is called; its Error is every rank's.
  SharedNumbers(const Comm& node, const std::function<Arrays()>& read) : SharedNumbers(node, read, Arrays{}) {}

  /// The first `size` numbers, and those behind them.
  [[nodiscard]] std::span<const float> first(std::size_t size) const { return all().first(size); }
  [[nodiscard]] std::span<const float> behind(std::size_t size) const { return all().subspan(size); }

 private:
  SharedNumbers(const Comm& node, const std::function<Arrays()>& read, Arrays arrays)  // between two calls
      : numbers_(
            node,
            [&] {
              arrays = read();
              return (arrays[0].size() + arrays[1].size()) * sizeof(float);
            },
            [&](std::span<std::byte> into) {
              for (const std::vector<float>& array : arrays) {
                const auto bytes = std::as_bytes(std::span(array));
                std::ranges::copy(bytes, into.begin());
                into = into.subspan(bytes.size());
              }
            }) {}

  [[nodiscard]] std::span<const float> all() const {
    const auto* values = reinterpret_cast<const float*>(numbers_.bytes().data());  // NOLINT
    return {values, numbers_.bytes().size() / sizeof(float)};
  }

  SharedArray numbers_;
};

}  // namespace fleet::simulation
