// A 64-bit hash whose value is the same on every machine: names streams, layouts and cells.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fleet {

/// FNV-1a over the bytes, finished by the SplitMix64 mixer so that near keys give far values.
class Hash {
 public:
  Hash& add(std::string_view bytes) {
    for (const char byte : bytes) add_byte(static_cast<unsigned char>(byte));
    return add_byte(0xff);  // so that ("ab", "c") differs from ("a", "bc")
  }
  Hash& add(std::uint64_t word) {
    for (int shift = 0; shift < 64; shift += 8) add_byte((word >> shift) & 0xffU);
    return *this;
  }
  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t z = state_ + 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// Sixteen hexadecimal digits.
  [[nodiscard]] std::string hex() const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(value() >> shift) & 0xfU];
    return text;
  }

 private:
  Hash& add_byte(std::uint64_t byte) {
    state_ = (state_ ^ byte) * 0x100000001B3U;
    return *this;
  }
  std::uint64_t state_ = 0xCBF29CE484222325U;
};

}  // namespace fleet
