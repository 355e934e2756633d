// One copy of a read-only array per node, in an MPI shared-memory window.
#pragma once

#include <mpi.h>

#include <cstddef>
#include <functional>
#include <span>

#include "comm/comm.hpp"

namespace fleet {

/// Bytes that all ranks of a node read and one of them wrote.
class SharedArray {
 public:
  /// Collective over `node` (see Comm::node). Its root runs `size` then `fill`; an Error thrown by
  /// either is thrown by every rank.
  SharedArray(const Comm& node, const std::function<std::size_t()>& size,
              const std::function<void(std::span<std::byte>)>& fill);
  SharedArray(const SharedArray&) = delete;
  SharedArray& operator=(const SharedArray&) = delete;
  ~SharedArray();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MPI_Win window_ = MPI_WIN_NULL;
  std::span<const std::byte> bytes_;
};

}  // namespace fleet
