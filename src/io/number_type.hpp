// How numbers lie in files of weights, and as what they are computed with: half precision and bfloat16 among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fleet {

/// Little-endian.
enum class NumberType {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kU64,
  kI64,
  kF8E4M3,
  kF8E5M2,
  kF16,
  kBF16,
  kF32,
  kF64
};

/// As safetensors calls it: "BF16".
[[nodiscard]] std::string_view name_of(NumberType type);
/// None if there is no type of this name.
[[nodiscard]] std::optional<NumberType> number_type_of(std::string_view name);
[[nodiscard]] std::size_t bytes_of(NumberType type);
/// Whether the functions below take it: F16, BF16, F32 and F64. Others are kept as they are.
[[nodiscard]] bool is_real(NumberType type);

/// Numbers of `type` as floats or doubles. `bytes` holds as many as there are in `numbers`, at any alignment.
void decode(NumberType type, std::span<const std::byte> bytes, std::span<float> numbers);
void decode(NumberType type, std::span<const std::byte> bytes, std::span<double> numbers);
/// The inverse, rounded to the nearest, ties to even; what is too large becomes infinite.
void encode(NumberType type, std::span<const float> numbers, std::span<std::byte> bytes);
void encode(NumberType type, std::span<const double> numbers, std::span<std::byte> bytes);

}  // namespace fleet
