"""Speech over the network: OpenAI's speech route, a WebSocket, Wyoming, and a page."""
