// Package cartwheel is the client of Cartwheel, a product recommender: events in, recommendations
// out.
package cartwheel
