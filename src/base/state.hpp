// The state of objects as bytes, for checkpoints: read back in the order in which it was written, by the same program
// on the same kind of machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.hpp"

namespace fleet {

template <class T>
concept PlainState = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

class StateWriter {
 public:
  template <PlainState T>
  void write(const T& value) {
    append(&value, sizeof(T));
  }
  /// With their number.
  template <PlainState T>
  void write_all(std::span<const T> values) {
    write(static_cast<std::uint64_t>(values.size()));
    append(values.data(), values.size_bytes());
  }
  void write_text(std::string_view text) { write_all(std::span(text)); }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void append(const void* data, std::size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
  }
  std::string bytes_;
};

/// Every read throws Error where the bytes end early or hold another number of values than is asked for.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : rest_(bytes) {}

  template <PlainState T>
  [[nodiscard]] T read() {
    T value;
    std::memcpy(&value, take(sizeof(T)), sizeof(T));
    return value;
  }
  /// As many as there are.
  template <PlainState T>
  [[nodiscard]] std::vector<T> read_all() {
    const auto count = static_cast<std::size_t>(read<std::uint64_t>());
    require(count <= rest_.size() / sizeof(T), "the state ends early");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), take(count * sizeof(T)), count * sizeof(T));
    return values;
  }
  /// As many as `into` holds.
  template <PlainState T>
  void read_into(std::span<T> into) {
    const auto count = static_cast<std::size_t>(read<std::uint64_t>());
    require(count == into.size(), "the state holds ", count, " numbers where ", into.size(), " are expected");
    if (count > 0) std::memcpy(into.data(), take(into.size_bytes()), into.size_bytes());
  }
  [[nodiscard]] std::string read_text() {
    const std::vector<char> text = read_all<char>();
    return {text.begin(), text.end()};
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  const char* take(std::size_t size) {
    require(size <= rest_.size(), "the state ends early");
    const char* taken = rest_.data();
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

}  // namespace fleet
