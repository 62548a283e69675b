#include "net/worker_pool.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace vartalap::net {

struct worker_pool::impl {
  explicit impl(std::size_t threads) : pool(threads) {
  }
  boost::asio::thread_pool pool;
};

worker_pool::worker_pool(std::size_t threads)
  : impl_(std::make_unique<impl>(threads)) {
}

worker_pool::~worker_pool() {
  stop();
}

void worker_pool::post(std::function<void()> task) {
  boost::asio::post(impl_->pool, std::move(task));
}

void worker_pool::stop() {
  impl_->pool.stop();
  impl_->pool.join();
}

} // namespace vartalap::net
