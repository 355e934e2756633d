#include "comm/shared_array.hpp"

#include <array>
#include <exception>

namespace fleet {

SharedArray::SharedArray(const Comm& node, const std::function<std::size_t()>& size,
                         const std::function<void(std::span<std::byte>)>& fill) {
  std::array<double, 1> length{};  // exact up to 2^53 bytes
  node.together([&] {
    if (node.is_root()) length[0] = static_cast<double>(size());
  });
  node.broadcast(length);
  const auto total = static_cast<std::size_t>(length[0]);

  std::byte* mine = nullptr;
  const MPI_Aint local = node.is_root() ? static_cast<MPI_Aint>(total) : 0;
  check_mpi(MPI_Win_allocate_shared(local, 1, MPI_INFO_NULL, node.handle(), static_cast<void*>(&mine), &window_),
            "MPI_Win_allocate_shared");
  MPI_Aint extent = 0;
  int unit = 1;
  std::byte* base = nullptr;
  check_mpi(MPI_Win_shared_query(window_, 0, &extent, &unit, static_cast<void*>(&base)), "MPI_Win_shared_query");
  bytes_ = {base, total};

  MPI_Win_fence(0, window_);
  try {
    node.together([&] {
      if (node.is_root()) fill({base, total});
    });
  } catch (...) {  // on every rank alike, so freeing it together is safe
    MPI_Win_free(&window_);
    throw;
  }
  MPI_Win_fence(0, window_);
}

SharedArray::~SharedArray() {
  if (window_ != MPI_WIN_NULL && std::uncaught_exceptions() == 0) MPI_Win_free(&window_);
}

}  // namespace fleet
