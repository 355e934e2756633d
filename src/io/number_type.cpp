#include "io/number_type.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "base/bfloat16.hpp"
#include "base/multiversion.hpp"

namespace fleet {
namespace {

static_assert(std::endian::native == std::endian::little, "files of weights are little-endian");

struct TypeFacts {
  NumberType type;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<TypeFacts, 15> kTypes{{{NumberType::kBool, "BOOL", 1},
                                            {NumberType::kU8, "U8", 1},
                                            {NumberType::kI8, "I8", 1},
                                            {NumberType::kU16, "U16", 2},
                                            {NumberType::kI16, "I16", 2},
                                            {NumberType::kU32, "U32", 4},
                                            {NumberType::kI32, "I32", 4},
                                            {NumberType::kU64, "U64", 8},
                                            {NumberType::kI64, "I64", 8},
                                            {NumberType::kF8E4M3, "F8_E4M3", 1},
                                            {NumberType::kF8E5M2, "F8_E5M2", 1},
                                            {NumberType::kF16, "F16", 2},
                                            {NumberType::kBF16, "BF16", 2},
                                            {NumberType::kF32, "F32", 4},
                                            {NumberType::kF64, "F64", 8}}};

/// The exponent is moved by a product with 2^112, which makes subnormal numbers normal as well.
float from_half(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffU;
  const auto sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const float moved = std::bit_cast<float>(magnitude << 13U) * std::bit_cast<float>(0x77800000U);
  const std::uint32_t special = magnitude >= 0x7c00U ? 0x7f800000U : 0U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(moved) | special | sign);
}

std::uint16_t to_half(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  const std::uint32_t normal = (magnitude - 0x38000000U + 0xfffU + ((magnitude >> 13U) & 1U)) >> 13U;
  // The sum with 1/2 puts what a subnormal half keeps into the last bits, rounded.
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U;
  std::uint32_t half = magnitude < 0x38800000U ? subnormal : normal;
  half = magnitude >= 0x477ff000U ? 0x7c00U : half;  // 65520 and above
  half = magnitude > 0x7f800000U ? 0x7e00U : half;   // no number
  return static_cast<std::uint16_t>(half | (bits >> 16U & 0x8000U));
}

template <class Stored>
Stored load(const std::byte* from) {
  Stored stored;
  std::memcpy(&stored, from, sizeof(stored));
  return stored;
}

template <class Stored>
void store(Stored stored, std::byte* to) {
  std::memcpy(to, &stored, sizeof(stored));
}

FLEET_MULTIVERSION void decode_bfloat16(const std::byte* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from_bfloat16(load<std::uint16_t>(from + 2 * i));
}

FLEET_MULTIVERSION void decode_half(const std::byte* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from_half(load<std::uint16_t>(from + 2 * i));
}

FLEET_MULTIVERSION void encode_bfloat16(const float* from, std::byte* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) store(to_bfloat16(from[i]), to + 2 * i);
}

FLEET_MULTIVERSION void encode_half(const float* from, std::byte* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) store(to_half(from[i]), to + 2 * i);
}

template <class Stored, class Real>
void decode_plain(const std::byte* from, Real* to, std::size_t count) {
  if constexpr (std::is_same_v<Stored, Real>) {
    std::memcpy(to, from, count * sizeof(Real));
  } else {
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<Real>(load<Stored>(from + sizeof(Stored) * i));
  }
}

template <class Stored, class Real>
void encode_plain(const Real* from, std::byte* to, std::size_t count) {
  if constexpr (std::is_same_v<Stored, Real>) {
    std::memcpy(to, from, count * sizeof(Real));
  } else {
    for (std::size_t i = 0; i < count; ++i) store(static_cast<Stored>(from[i]), to + sizeof(Stored) * i);
  }
}

}  // namespace

std::string_view name_of(NumberType type) {
  return std::ranges::find(kTypes, type, &TypeFacts::type)->name;
}

std::optional<NumberType> number_type_of(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name, &TypeFacts::name);
  return found == kTypes.end() ? std::nullopt : std::optional(found->type);
}

std::size_t bytes_of(NumberType type) {
  return std::ranges::find(kTypes, type, &TypeFacts::type)->bytes;
}

bool is_real(NumberType type) {
  return type == NumberType::kF16 || type == NumberType::kBF16 || type == NumberType::kF32 || type == NumberType::kF64;
}

void decode(NumberType type, std::span<const std::byte> bytes, std::span<float> numbers) {
  assert(is_real(type) && bytes.size() == numbers.size() * bytes_of(type));
  if (type == NumberType::kBF16) decode_bfloat16(bytes.data(), numbers.data(), numbers.size());
  if (type == NumberType::kF16) decode_half(bytes.data(), numbers.data(), numbers.size());
  if (type == NumberType::kF32) decode_plain<float>(bytes.data(), numbers.data(), numbers.size());
  if (type == NumberType::kF64) decode_plain<double>(bytes.data(), numbers.data(), numbers.size());
}

void decode(NumberType type, std::span<const std::byte> bytes, std::span<double> numbers) {
  assert(is_real(type) && bytes.size() == numbers.size() * bytes_of(type));
  if (type == NumberType::kF64) return decode_plain<double>(bytes.data(), numbers.data(), numbers.size());
  if (type == NumberType::kF32) return decode_plain<float>(bytes.data(), numbers.data(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto stored = load<std::uint16_t>(&bytes[2 * i]);
    numbers[i] = static_cast<double>(type == NumberType::kBF16 ? from_bfloat16(stored) : from_half(stored));
  }
}

void encode(NumberType type, std::span<const float> numbers, std::span<std::byte> bytes) {
  assert(is_real(type) && bytes.size() == numbers.size() * bytes_of(type));
  if (type == NumberType::kBF16) encode_bfloat16(numbers.data(), bytes.data(), numbers.size());
  if (type == NumberType::kF16) encode_half(numbers.data(), bytes.data(), numbers.size());
  if (type == NumberType::kF32) encode_plain<float>(numbers.data(), bytes.data(), numbers.size());
  if (type == NumberType::kF64) encode_plain<double>(numbers.data(), bytes.data(), numbers.size());
}

void encode(NumberType type, std::span<const double> numbers, std::span<std::byte> bytes) {
  assert(is_real(type) && bytes.size() == numbers.size() * bytes_of(type));
  if (type == NumberType::kF64) return encode_plain<double>(numbers.data(), bytes.data(), numbers.size());
  if (type == NumberType::kF32) return encode_plain<float>(numbers.data(), bytes.data(), numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = static_cast<float>(numbers[i]);
    store(type == NumberType::kBF16 ? to_bfloat16(number) : to_half(number), &bytes[2 * i]);
  }
}

}  // namespace fleet
