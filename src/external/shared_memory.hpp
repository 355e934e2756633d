// Memory that two processes share: where weights and statistics cross to a child without going through a pipe. It has
// no name, so that nothing is left behind when processes are killed. Hides the mapping, which moves when the memory
// grows.
#pragma once

#include <cstddef>
#include <map>
#include <span>

#include "io/descriptor.hpp"

namespace fleet {

class SharedMemory {
 public:
  /// Places are multiples of this, in bytes.
  static constexpr std::size_t kAlignment = 64;

  /// Empty; Error if the system has none to give.
  SharedMemory();
  /// That of another process, taken over as if it were empty.
  explicit SharedMemory(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] int descriptor() const { return descriptor_.number(); }
  /// Bytes in all. Who maps the memory as well has to map it anew when this grows.
  [[nodiscard]] std::size_t size() const { return size_; }

  /// The place of `bytes` bytes that nobody else has. May grow the memory, which ends all spans of at().
  [[nodiscard]] std::size_t take(std::size_t bytes);
  void give_back(std::size_t place);

  /// `count` values at a place that was taken with room for them.
  template <class T>
  [[nodiscard]] std::span<T> at(std::size_t place, std::size_t count) const {
    return {reinterpret_cast<T*>(base_ + place), count};  // NOLINT: aligned by take()
  }

 private:
  void grow(std::size_t size);

  Descriptor descriptor_;
  std::byte* base_ = nullptr;
  std::size_t size_ = 0;
  std::map<std::size_t, std::size_t> taken_;  // bytes by place
};

/// Some bytes of a SharedMemory, given back when this goes.
class Place {
 public:
  Place(SharedMemory& memory, std::size_t bytes) : memory_(&memory), place_(memory.take(bytes)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { memory_->give_back(place_); }

  [[nodiscard]] std::size_t offset() const { return place_; }
  template <class T>
  [[nodiscard]] std::span<T> values(std::size_t count) const {
    return memory_->at<T>(place_, count);
  }

 private:
  SharedMemory* memory_;
  std::size_t place_;
};

}  // namespace fleet
